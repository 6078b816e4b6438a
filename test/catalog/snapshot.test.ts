import { describe, expect, it } from 'vitest';
import type { KeyContent } from '../../src/catalog/read-keys.ts';
import { rebuild } from '../../src/catalog/rebuild.ts';
import { NOTHING, Snapshot } from '../../src/catalog/snapshot.ts';
import type { TargetId } from '../../src/rbac/grants.ts';
import type { SubjectId } from '../../src/rbac/subject.ts';
import { keyNames } from '../../src/redis/keys.ts';

const names = keyNames('cohere:');
const hash = (fields: Record<string, string>): KeyContent => ({ kind: 'hash', fields });

async function snapshotOf(entries: Record<string, KeyContent>): Promise<Snapshot> {
  const contents = new Map(Object.entries(entries).map(([name, content]) => [`cohere:${name}`, content]));
  return new Snapshot(await rebuild(NOTHING, names, contents));
}

describe('a snapshot', () => {
  it('is empty without an integration; one that cannot be read counts as there', async () => {
    expect(new Snapshot(NOTHING).empty).toBe(true);
    expect((await snapshotOf({ models: hash({ 'p:m': '{}' }) })).empty).toBe(true);
    expect((await snapshotOf({ integrations: hash({ p: '{' }) })).empty).toBe(false);
  });

  it('parts what is absent from what cannot be read', async () => {
    const snapshot = await snapshotOf({ models: hash({ 'p:bad': '{', 'p:good': '{}' }) });
    expect([
      snapshot.model('p', 'good').kind,
      snapshot.model('p', 'bad').kind,
      snapshot.model('p', 'none').kind,
    ]).toEqual(['found', 'invalid', 'absent']);
  });

  it('has no user, group or application that cannot be read', async () => {
    const bad = hash({ x: '{' });
    const snapshot = await snapshotOf({ users: bad, groups: bad, applications: bad });
    expect([snapshot.user('x'), snapshot.group('x'), snapshot.application('x')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    // It claims no workflow, as far as can be made out.
    expect([...snapshot.applications()]).toEqual([['x', { workflows: [] }]]);
    expect([...snapshot.faults()].map(({ key }) => key)).toEqual([
      'cohere:groups',
      'cohere:applications',
      'cohere:users',
    ]);
  });

  it('names all groups of a member, those too that have no record', async () => {
    const snapshot = await snapshotOf({
      'members:a': { kind: 'set', members: ['alice', 'app:claims'] },
      'members:b:c': { kind: 'set', members: ['alice'] },
    });
    expect([...snapshot.groupsOf('alice')].sort()).toEqual(['a', 'b:c']);
    expect(snapshot.groupsOf('app:claims')).toEqual(['a']);
    expect(snapshot.groupsOf('claims')).toEqual([]);
  });

  it('gives the readable grants of a subject, exactly', async () => {
    const snapshot = await snapshotOf({
      'grants:USER:app:claims': hash({ 'INTEGRATION_PROVIDER:p': 'READ,EXECUTE', 'PROMPT:x': 'nonsense' }),
    });
    const grants = snapshot.grantsOf('USER:app:claims' as SubjectId);
    expect([...grants].map(([target, access]) => [target, [...access]])).toEqual([
      ['INTEGRATION_PROVIDER:p', ['READ', 'EXECUTE']],
    ]);
    expect(snapshot.grantsOf('USER:app' as SubjectId).size).toBe(0);
    expect(snapshot.grantsOf('USER:app:claims' as SubjectId)).toBe(grants);
  });
});

describe('the grants of a snapshot', () => {
  const world = {
    'grants:USER:alice': hash({ 'PROMPT:a': 'READ', 'PROMPT:b': 'EXECUTE,READ', nonsense: 'READ' }),
    'grants:GROUP:g': hash({ 'PROMPT:b': 'EXECUTE', 'PROMPT:c': 'READ' }),
    'grants:USER:bad': hash({ 'PROMPT:a': 'nonsense' }),
  };

  it('on some targets are found whoever holds them, and none that cannot be read', async () => {
    const snapshot = await snapshotOf(world);
    const on = (...targets: string[]) =>
      [...snapshot.subjectsOn(targets as TargetId[])].map(
        ({ subject, target, access }) => `${subject} ${target} ${[...access]}`,
      );
    expect(on('PROMPT:b', 'PROMPT:c').sort()).toEqual([
      'GROUP:g PROMPT:b EXECUTE',
      'GROUP:g PROMPT:c READ',
      'USER:alice PROMPT:b EXECUTE,READ',
    ]);
    expect(on('PROMPT:a')).toEqual(['USER:alice PROMPT:a READ']);
    expect(on('PROMPT:d', 'nonsense')).toEqual([]);
    expect(on()).toEqual([]);
  });

  it('are told as Redis holds them, readable or not, those of one subject together', async () => {
    const snapshot = await snapshotOf(world);
    const texts = [...snapshot.grantTexts()];
    const subjects = texts.map(({ subject }) => subject);
    expect(subjects.filter((subject, n) => subject !== subjects[n - 1])).toHaveLength(3);
    expect(Object.fromEntries(texts.map(({ subject, target, text }) => [`${subject} ${target}`, text]))).toEqual({
      'USER:alice PROMPT:a': 'READ',
      'USER:alice PROMPT:b': 'EXECUTE,READ',
      'USER:alice nonsense': 'READ',
      'GROUP:g PROMPT:b': 'EXECUTE',
      'GROUP:g PROMPT:c': 'READ',
      'USER:bad PROMPT:a': 'nonsense',
    });
    for (const { subject, target, text } of texts) expect(snapshot.grantText(subject, target)).toBe(text);
    expect(snapshot.grantText('USER:alice', 'PROMPT:c')).toBeUndefined();
    expect(snapshot.grantText('USER:nobody', 'PROMPT:a')).toBeUndefined();
  });
});
