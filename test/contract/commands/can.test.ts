import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSnapshot } from '../../../src/catalog/load.ts';
import { runCan } from '../../../src/commands/can.ts';
import type { Terminal } from '../../../src/commands/terminal.ts';
import { decide, type Target } from '../../../src/rbac/decision.ts';
import type { Access } from '../../../src/rbac/grants.ts';
import { parseSubject } from '../../../src/rbac/subject.ts';
import { INTEGRATION, type Installation, install, resultOf } from './installation.ts';

let here: Installation;
beforeAll(async () => {
  here = await install();
  const { redis, names, put } = here;
  await put('integrations', 'prod', { ...INTEGRATION, tags: [{ key: 'team', value: 'risk' }] });
  await put('integrations', 'off', { ...INTEGRATION, enabled: false });
  await put('integrations', 'broken', '{"type":');
  for (const model of ['prod:embed:v4', 'prod:chat', 'off:chat', 'broken:chat', 'gone:chat'])
    await put('models', model, {});
  await put('models', 'prod:gold', { tags: [{ key: 'tier', value: 'gold' }] });
  await put('models', 'prod:off', { enabled: false });
  await put('models', 'prod:broken', '{"enabled":"yes"}');
  await put('prompts', 'summarize', { template: 't' });
  await put('prompts', 'two words', { template: 't' });
  await put('users', 'root', { roles: ['ADMIN'] });
  await put('users', 'carol', { roles: ['reader'] });
  await put('users', 'torn', '{"roles":["ADMIN"]');
  await put('groups', 'analysts', { roles: ['executor'] });
  await put('applications', 'claims', { workflows: ['claims_*'] });
  await redis.sadd(names.members('analysts'), 'bob', 'app:claims', 'app:ghost');
  await redis.sadd(names.members('phantoms'), 'eve');
  const grants: Record<string, Record<string, string>> = {
    'USER:alice': {
      'INTEGRATION:prod:embed:v4': 'EXECUTE',
      'PROMPT:summarize': 'READ',
      'INTEGRATION:prod:gold': 'READ',
    },
    'USER:app:claims': { 'INTEGRATION_PROVIDER:prod': 'READ,EXECUTE' },
    'USER:app:ghost': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
    'GROUP:analysts': { 'TAG:tier:gold': 'EXECUTE', 'INTEGRATION:off:chat': 'EXECUTE' },
    'GROUP:phantoms': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
    'ROLE:executor': { 'INTEGRATION:prod:chat': 'EXECUTE' },
    'ROLE:reader': { 'PROMPT:summarize': 'EXECUTE' },
    'USER:keeper': { 'APPLICATION:claims': 'UPDATE' },
    'USER:tagged': { 'TAG:team:risk': 'EXECUTE' },
  };
  for (const [subject, fields] of Object.entries(grants)) await redis.hset(names.grants(subject), fields);
});
afterAll(() => here[Symbol.asyncDispose]());

interface Answer {
  readonly allowed: boolean;
  readonly subject: string;
  readonly target: string;
  readonly via: readonly string[];
  readonly missing: string | null;
}

/** What one `can` answers, in this process: the records are read from Redis as the command does. */
async function can(subject: string, target: string, access?: Access): Promise<Answer & { code: number }> {
  let answer: Answer | undefined;
  const same = (text: string) => text;
  const terminal: Terminal = {
    json: true,
    say: () => undefined,
    sayText: () => undefined,
    warn: () => undefined,
    result: (value) => {
      answer = value as Answer;
    },
    ...{ good: same, bad: same, changed: same, faint: same },
  };
  const code = runCan(await loadSnapshot(here.redis, here.names), { subject, target, access }, terminal);
  if (answer === undefined) throw new Error('no answer');
  return { ...answer, code };
}

describe('the command', () => {
  it('says in words that it is allowed, and by what: exit code 0', async () => {
    const { code, stdout, stderr } = await here.run(['can', 'bob', 'prod:chat']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(
      'allowed  USER:bob may use prod:chat\n  via USER:bob → GROUP:analysts → ROLE:executor → EXECUTE on INTEGRATION:prod:chat\n',
    );
  });

  it('says in words that it is denied, and what is missing: exit code 1', async () => {
    const { code, stdout } = await here.run(['can', 'USER:carol', 'prod:chat']);
    expect(code).toBe(1);
    expect(stdout).toBe(
      'denied  USER:carol may not use prod:chat\n  missing: EXECUTE on INTEGRATION:prod:chat or INTEGRATION_PROVIDER:prod\n',
    );
  });

  it('answers with --output json in the shape of the contract, allowed or denied', async () => {
    const allowed = await here.run(['can', 'app:claims', 'prod', '--output', 'json']);
    expect(allowed.code).toBe(0);
    expect(resultOf(allowed)).toEqual({
      allowed: true,
      subject: 'USER:app:claims',
      target: 'prod',
      via: ['USER:app:claims', 'EXECUTE on INTEGRATION_PROVIDER:prod'],
      missing: null,
    });
    const denied = await here.run(['can', 'nobody', 'PROMPT:summarize', '--output', 'json']);
    expect([denied.code, denied.stdout.split('\n').length]).toEqual([1, 2]);
    expect(resultOf(denied)).toEqual({
      allowed: false,
      subject: 'USER:nobody',
      target: 'PROMPT:summarize',
      via: [],
      missing: 'EXECUTE or READ on PROMPT:summarize',
    });
  });

  it('answers for one access, by name, in the same shape', async () => {
    const said = await here.run(['can', 'alice', 'prod:gold', '--access', 'READ']);
    expect([said.code, said.stdout]).toEqual([
      0,
      'allowed  USER:alice may READ prod:gold\n  via USER:alice → READ on INTEGRATION:prod:gold\n',
    ]);
    const denied = await here.run(['can', 'alice', 'prod:gold', '--access', 'UPDATE', '--output', 'json']);
    expect(denied.code).toBe(1);
    expect(resultOf(denied)).toEqual({
      allowed: false,
      subject: 'USER:alice',
      target: 'prod:gold',
      via: [],
      missing: 'UPDATE on INTEGRATION:prod:gold or INTEGRATION_PROVIDER:prod',
    });
  });

  it.each([
    ['an empty subject', ['', 'prod']],
    ['a subject that is only a type', ['GROUP:', 'prod']],
    ['an empty target', ['alice', '']],
    ['a prompt without a name', ['alice', 'PROMPT:']],
    ['a target of no form', ['alice', 'two words']],
    ['no target', ['alice']],
    ['too many words', ['alice', 'prod', 'chat']],
    ['an unknown access', ['alice', 'prod', '--access', 'WRITE']],
    ['several accesses', ['alice', 'prod', '--access', 'READ,UPDATE']],
    ['running an application', ['alice', 'APPLICATION:claims']],
    ['an application without an id', ['alice', 'APPLICATION:', '--access', 'READ']],
  ])('takes %s as wrong usage: exit code 2', async (_, words) => {
    const { code, stdout, stderr } = await here.run(['can', ...words]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).not.toBe('');
  });

  it('cannot tell without Redis: exit code 3', async () => {
    const { code, stderr } = await here.run(['can', 'alice', 'prod'], { REDIS_URL: 'redis://127.0.0.1:1' });
    expect(code).toBe(3);
    expect(stderr).toContain('REDIS_URL');
  });

  it('sees the grants under REDIS_PREFIX and no others', async () => {
    const { code } = await here.run(['can', 'app:claims', 'prod'], { REDIS_PREFIX: 'elsewhere:' });
    expect(code).toBe(1);
  });
});

describe('allowed', () => {
  it.each([
    ['a bare user id, by a grant of its own', 'alice', 'prod:embed:v4', 'USER:alice'],
    ['USER:x', 'USER:alice', 'prod:embed:v4', 'USER:alice'],
    ['READ on a prompt', 'alice', 'PROMPT:summarize', 'USER:alice'],
    ['app:x on a model, by the grant on its integration', 'app:claims', 'prod:embed:v4', 'USER:app:claims'],
    ['USER:app:x', 'USER:app:claims', 'prod', 'USER:app:claims'],
    ['a group itself', 'GROUP:analysts', 'prod:gold', 'GROUP:analysts'],
    ['a member, by a tag of the model', 'bob', 'prod:gold', 'USER:bob'],
    ['any model, by a tag of the integration', 'tagged', 'prod:chat', 'USER:tagged'],
    ['a role itself', 'ROLE:executor', 'prod:chat', 'ROLE:executor'],
    ['a user, by a role of its own', 'carol', 'PROMPT:summarize', 'USER:carol'],
    ['an ADMIN, anything that there is', 'root', 'PROMPT:two words', 'USER:root'],
    ['the role ADMIN itself', 'ROLE:ADMIN', 'prod', 'ROLE:ADMIN'],
  ])('%s', async (_, subject, target, shown) => {
    const answer = await can(subject, target);
    expect(answer).toMatchObject({ code: 0, allowed: true, subject: shown, target, missing: null });
    expect(answer.via[0]).toBe(shown);
  });
});

describe('denied', () => {
  it.each([
    ['READ alone on a model', 'alice', 'prod:gold', 'EXECUTE on INTEGRATION:prod:gold or INTEGRATION_PROVIDER:prod'],
    ['a grant on one model, for the whole integration', 'alice', 'prod', 'EXECUTE on INTEGRATION_PROVIDER:prod'],
    ['a member of a group without a record', 'eve', 'prod', 'EXECUTE on INTEGRATION_PROVIDER:prod'],
    ['a group without a record', 'GROUP:phantoms', 'prod', 'the record of group phantoms'],
    ['an application without a record, whatever it holds', 'app:ghost', 'prod', 'the record of application ghost'],
    ['a user whose record cannot be read', 'torn', 'prod', 'EXECUTE on INTEGRATION_PROVIDER:prod'],
    ['a name whose case differs', 'ALICE', 'prod:embed:v4', 'EXECUTE on'],
    ['an integration that is switched off', 'root', 'off:chat', 'the integration off is switched off'],
    ['a model that is switched off', 'root', 'prod:off', 'the model prod:off is switched off'],
    ['an integration that cannot be read', 'root', 'broken:chat', 'the integration broken cannot be read: not JSON'],
    ['a model that cannot be read', 'root', 'prod:broken', 'the model prod:broken cannot be read: enabled'],
    ['a model whose integration is gone', 'root', 'gone:chat', 'the integration gone does not exist'],
    ['an unknown integration, with the nearest known one', 'root', 'prd', 'does not exist. Did you mean "prod"?'],
    ['an unknown model, with the nearest known one', 'root', 'prod:chad', 'does not exist. Did you mean "prod:chat"?'],
    ['an unknown prompt, with the nearest known one', 'root', 'PROMPT:sumarize', 'Did you mean "summarize"?'],
  ])('%s', async (_, subject, target, missing) => {
    const answer = await can(subject, target);
    expect(answer).toMatchObject({ code: 1, allowed: false, via: [] });
    expect(answer.missing).toContain(missing);
  });
});

describe('one access', () => {
  it.each<[string, string, string, Access, boolean, string]>([
    ['a model, by its tag', 'bob', 'prod:gold', 'EXECUTE', true, 'EXECUTE on TAG:tier:gold'],
    ['another access by that tag', 'bob', 'prod:gold', 'READ', false, 'READ on INTEGRATION:prod:gold'],
    ['seeing what is switched off', 'root', 'prod:off', 'READ', true, 'ROLE:ADMIN'],
    ['changing what is switched off', 'root', 'off:chat', 'UPDATE', true, 'ROLE:ADMIN'],
    ['running what is switched off', 'root', 'prod:off', 'EXECUTE', false, 'the model prod:off is switched off'],
    ['what cannot be read', 'root', 'prod:broken', 'READ', false, 'the model prod:broken cannot be read'],
    ['an application', 'keeper', 'APPLICATION:claims', 'UPDATE', true, 'UPDATE on APPLICATION:claims'],
    ['an application, another access', 'keeper', 'APPLICATION:claims', 'READ', false, 'READ on APPLICATION:claims'],
    ['an unknown application', 'root', 'APPLICATION:claim', 'READ', false, 'Did you mean "claims"?'],
  ])('%s', async (_, subject, target, access, allowed, why) => {
    const answer = await can(subject, target, access);
    expect(answer).toMatchObject({ code: allowed ? 0 : 1, allowed, target });
    expect(allowed ? answer.via.at(-1) : answer.missing).toContain(why);
  });
});

describe('`can` and the decision that workers take', () => {
  it('agree for every subject and every target whose records are in order', async () => {
    const snapshot = await loadSnapshot(here.redis, here.names);
    const subjects =
      'alice bob carol eve root torn tagged app:claims app:ghost GROUP:analysts GROUP:phantoms ROLE:reader ROLE:executor ROLE:ADMIN';
    const tags = [{ key: 'team', value: 'risk' }];
    const model = (name: string, more: typeof tags = []): [string, Target] => [
      `prod:${name}`,
      { kind: 'model', integration: 'prod', model: name, tags: [...more, ...tags] },
    ];
    const targets: [string, Target][] = [
      ['prod', { kind: 'integration', integration: 'prod', tags }],
      model('embed:v4'),
      model('chat'),
      model('gold', [{ key: 'tier', value: 'gold' }]),
      ['PROMPT:summarize', { kind: 'prompt', prompt: 'summarize' }],
      ['PROMPT:two words', { kind: 'prompt', prompt: 'two words' }],
    ];
    const outcomes = new Set<string>();
    for (const who of subjects.split(' ')) {
      for (const [name, target] of targets) {
        const subject = parseSubject(who);
        if (subject === undefined) throw new Error(`not a subject: ${who}`);
        const decision = decide(snapshot, subject, target);
        const { allowed, via, missing } = await can(who, name);
        expect([who, name, allowed]).toEqual([who, name, decision.kind === 'allow']);
        if (decision.kind === 'allow') expect(via).toEqual(decision.via);
        else expect(missing).toBe(decision.missing);
        outcomes.add(decision.kind);
      }
    }
    expect(outcomes.size).toBe(2);
  });
});
