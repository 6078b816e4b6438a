import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import type { SubjectId } from '../../../src/rbac/subject.ts';
import type {} from '../../support/redis-for-all.ts';
import { type CatalogUnderTest, INTEGRATION, MODEL, startCatalog, until } from '../support/live-catalog.ts';

const start = () => startCatalog(inject('redisUrl'));
const faultsSaid = ({ captured }: CatalogUnderTest) =>
  captured.lines
    .filter(({ msg }) => msg.startsWith('A record cannot be read'))
    .map(({ level, key, field, reason }) => ({ level, key, field, reason }));

describe('a record that cannot be read', () => {
  it.each([
    ['is not JSON', '{"enabled":', /^not JSON$/],
    ['is of a wrong type', '{"enabled":"yes"}', /^enabled: /],
    ['is a list', '[]', /must be an object, not an array/],
    ['has an unknown key', '{"configuration":{"maxConcurency":8}}', /maxConcurency.*Did you mean "maxConcurrency"/],
    ['has a number out of range', '{"configuration":{"maxConcurrency":0}}', /^configuration\.maxConcurrency: /],
  ])('because it %s is named once, by key and field, and refuses only itself', async (_, raw, reason) => {
    await using under = await start();
    const { other, names, current } = under;
    await other.hset(names.hash('models'), 'p:good', MODEL, 'p:bad', raw);
    await until(() => current().model('p', 'bad').kind !== 'absent');
    expect(current().model('p', 'good').kind).toBe('found');
    expect(current().model('p', 'bad')).toMatchObject({
      kind: 'invalid',
      fault: { key: names.hash('models'), field: 'p:bad', message: expect.stringMatching(reason) },
    });

    // What changes elsewhere, in the same key and in others, does not repeat the warning.
    await other.hset(names.hash('models'), 'p:third', MODEL);
    await other.hset(names.hash('users'), 'alice', '{}');
    await until(() => current().model('p', 'third').kind === 'found' && current().user('alice') !== undefined);
    expect(faultsSaid(under)).toEqual([
      { level: 'warn', key: names.hash('models'), field: 'p:bad', reason: expect.stringMatching(reason) },
    ]);
  });

  it('heals when it is mended, and is named again when it breaks again', async () => {
    await using under = await start();
    const { other, names, current } = under;
    const models = names.hash('models');
    for (const round of [1, 2]) {
      await other.hset(models, 'p:m', '{');
      await until(() => current().model('p', 'm').kind === 'invalid');
      await until(() => faultsSaid(under).length === round);
      await other.hset(models, 'p:m', MODEL);
      await until(() => current().model('p', 'm').kind === 'found');
    }
    expect([...current().faults()]).toEqual([]);
    await sleep(20);
    expect(faultsSaid(under)).toHaveLength(2);
  });

  it('is not repeated in the log by its value, which may be a secret', async () => {
    await using under = await start();
    const secret = 'sekret-0123456789';
    await under.other.hset(
      under.names.hash('integrations'),
      'p',
      `{"api_key":"${secret}","configuration":"${secret}"}`,
    );
    await under.other.hset(under.names.hash('integrations'), 'q', `${secret}`);
    await until(() => faultsSaid(under).length === 2);
    expect(JSON.stringify(under.captured.lines)).not.toContain(secret);
  });

  it('is named by its name where that is the fault', async () => {
    await using under = await start();
    const { other, names, current } = under;
    await other.hset(names.hash('integrations'), '-p', INTEGRATION);
    await other.hset(names.hash('models'), 'no-colon', MODEL);
    await until(() => [...current().faults()].length === 2);
    expect(faultsSaid(under).map(({ field }) => field)).toEqual(expect.arrayContaining(['-p', 'no-colon']));
  });
});

describe('a grant that cannot be read', () => {
  it('gives nothing, while the others of its subject hold', async () => {
    await using under = await start();
    const { other, names, current } = under;
    const key = names.grants('USER:alice');
    await other.hset(
      key,
      'INTEGRATION:p:m',
      'EXECUTE',
      'INTEGRATION:p',
      'EXECUTE',
      'PROMPT:x',
      'execute',
      'TAG:a',
      'READ',
    );
    await until(() => current().grantsOf('USER:alice' as SubjectId).size > 0);
    expect([
      ...current()
        .grantsOf('USER:alice' as SubjectId)
        .keys(),
    ]).toEqual(['INTEGRATION:p:m']);
    expect(
      faultsSaid(under)
        .map(({ field }) => field)
        .sort(),
    ).toEqual(['INTEGRATION:p', 'PROMPT:x', 'TAG:a']);
    await other.hset(key, 'PROMPT:x', 'EXECUTE');
    await until(() => current().grantsOf('USER:alice' as SubjectId).size === 2);
  });
});

describe('a key of another Redis type', () => {
  it.each(['integrations', 'members:analysts', 'grants:USER:alice'])('%s is named once and heals', async (name) => {
    await using under = await start();
    const { other, names, current } = under;
    const key = `${names.prefix}${name}`;
    await other.hset(names.hash('models'), 'p:m', MODEL);
    await other.set(key, 'a string');
    await until(() => [...current().faults()].length === 1);
    await until(() => current().model('p', 'm').kind === 'found');
    await other.hset(names.hash('users'), 'alice', '{}');
    await until(() => current().user('alice') !== undefined);
    expect(faultsSaid(under)).toEqual([
      { level: 'warn', key, field: '', reason: 'holds another Redis type than the contract says' },
    ]);

    await other.del(key);
    if (name === 'integrations') await other.hset(key, 'p', INTEGRATION);
    else if (name.startsWith('members')) await other.sadd(key, 'alice');
    else await other.hset(key, 'INTEGRATION:p:m', 'EXECUTE');
    await until(() => [...current().faults()].length === 0);
    const holds = {
      integrations: () => current().integration('p').kind === 'found',
      'members:analysts': () => current().groupsOf('alice').length === 1,
      'grants:USER:alice': () => current().grantsOf('USER:alice' as SubjectId).size === 1,
    }[name];
    await until(holds ?? (() => false));
  });

  it('takes away what it held before', async () => {
    await using under = await start();
    const { other, names, current } = under;
    await other.hset(names.grants('USER:alice'), 'INTEGRATION:p:m', 'EXECUTE');
    await until(() => current().grantsOf('USER:alice' as SubjectId).size === 1);
    await other.set(names.grants('USER:alice'), 'INTEGRATION:p:m');
    await until(() => current().grantsOf('USER:alice' as SubjectId).size === 0);
  });
});
