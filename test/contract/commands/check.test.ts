import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ACCOUNT, OPEN_ROLE } from '../../../simulator/known.ts';
import {
  ACCESS_KEY,
  type CheckWorld,
  configured,
  EXTERNAL_ROLE,
  type Finding,
  SECRETS,
  startCheckWorld,
} from './check-world.ts';
import { INTEGRATION, type Installation, install } from './installation.ts';

let world: CheckWorld;
beforeAll(async () => {
  world = await startCheckWorld();
});
afterAll(() => world.close());
beforeEach(() => world.reset());

const check = (here: Installation, env: NodeJS.ProcessEnv = {}, ...options: string[]) =>
  world.check(here, env, ...options);

describe('a catalog in order', () => {
  it('has no findings, with every connection type, a nested workflow and its definitions: exit code 0', async () => {
    await using here = await install();
    const { redis, names, put } = here;
    await put('integrations', 'default', INTEGRATION);
    await put('integrations', 'keys', configured(ACCESS_KEY));
    await put('integrations', 'role', configured(EXTERNAL_ROLE));
    await put(
      'integrations',
      'own',
      configured({ ...EXTERNAL_ROLE, roleArn: OPEN_ROLE.arn, externalId: undefined, awsAccountId: ACCOUNT }),
    );
    await put('models', 'keys:cohere.embed-v4:0', { configuration: { maxConcurrency: 2 } });
    await put('prompts', 'p', { template: 't', integrations: ['keys:cohere.embed-v4:0'] });
    await put('groups', 'g', { roles: ['USER'] });
    await put('applications', 'claims', { workflows: ['c_*'] });
    await redis.sadd(names.members('g'), 'alice', 'app:claims');
    await redis.hset(names.grants('GROUP:g'), { 'INTEGRATION:keys:cohere.embed-v4:0': 'EXECUTE', 'TAG:a:b': 'READ' });
    await redis.hset(names.grants('USER:nobody'), { 'INTEGRATION_PROVIDER:keys': 'EXECUTE', 'PROMPT:p': 'READ' });
    await redis.hset(`${names.prefix}run:denials`, 'x', 'y');
    world.conductor.taskDefinitions = [{ name: 'ask', timeoutSeconds: 0, pollTimeoutSeconds: 0 }];
    world.conductor.workflows = [
      {
        name: 'w',
        tasks: [
          { name: 'ask', taskReferenceName: 'a', type: 'LLM_TEXT_COMPLETE' },
          { name: 'h', taskReferenceName: 'h', type: 'HTTP' },
        ],
      },
    ];
    const { code, findings, output } = await check(here, SECRETS);
    expect(findings).toEqual([]);
    expect([code, output]).toEqual([0, '{"findings":[]}\n']);
    expect(world.simulator.calls({ modelId: 'sts' }).calls).not.toEqual([]);
  });

  it('is told in words: nothing found', async () => {
    await using here = await install();
    await here.put('integrations', 'p', INTEGRATION);
    const { code, stdout } = await here.run(['check', '--offline']);
    expect([code, stdout]).toEqual([0, 'Nothing found.\n']);
  });

  it('says the state and date of each model of Cohere, whether there is something to find or not', async () => {
    await using here = await install();
    await here.put('integrations', 'p', INTEGRATION);
    await here.put('models', 'p:cohere.embed-v4:0', {});
    await here.put('models', 'p:amazon.nova-lite-v1:0', {});
    const clean = await here.run(['check', '--offline']);
    expect([clean.code, clean.stdout]).toEqual([
      0,
      'model    p:cohere.embed-v4:0: active, as of 2026-11-23\nNothing found.\n',
    ]);
    await here.put('models', 'p:old', { configuration: { modelId: 'cohere.command-r-v1:0' } });
    const { code, stdout } = await here.run(['check', '--offline']);
    expect(code).toBe(1);
    expect(stdout).toContain('model    p:old: ended on 2026-08-19\n');
    expect((await here.run(['check', '--offline', '--output', 'json'])).stdout).toMatch(/^\{"findings":.*\}\n$/);
  });
});

describe('a finding in the records is exit code 1:', () => {
  type Seed = (here: Installation) => Promise<unknown>;
  it.each<[string, Seed, Finding['severity'], string, string, string]>([
    ['a record that is no JSON', ({ put }) => put('models', 'p:m', '{'), 'error', 'models', 'p:m', 'not JSON'],
    [
      'an unknown key',
      ({ put }) => put('users', 'a', { nam: 'x' }),
      'error',
      'users',
      'a',
      'nam: unknown key. Did you mean "name"?',
    ],
    [
      'a token limit without its period',
      ({ put }) => put('groups', 'g', { maxTokens: 5 }),
      'warning',
      'groups',
      'g',
      'maxTokens limits nothing without frequency: daily, weekly, monthly',
    ],
    [
      'the period of no token limit',
      ({ put }) => put('users', 'u', { frequency: 'daily' }),
      'warning',
      'users',
      'u',
      'frequency limits nothing without maxTokens',
    ],
    [
      'a token limit of 0',
      ({ put }) => put('applications', 'a', { maxTokens: 0, frequency: 'weekly' }),
      'warning',
      'applications',
      'a',
      'maxTokens is 0: it lets nothing run',
    ],
    [
      'a token limit of the wrong form',
      ({ put }) => put('integrations', 'i', { ...INTEGRATION, maxTokens: -1, frequency: 'hourly' }),
      'error',
      'integrations',
      'i',
      'maxTokens: ',
    ],
    ['a name of the wrong form', ({ put }) => put('models', 'm', {}), 'error', 'models', 'm', 'provider:model'],
    [
      'a grant of an unknown access',
      ({ redis, names }) => redis.hset(names.grants('USER:a'), 'TAG:a:b', 'RUN'),
      'error',
      'grants:USER:a',
      'TAG:a:b',
      'access is one or more of',
    ],
    [
      'a grant on no target',
      ({ redis, names }) => redis.hset(names.grants('USER:a'), 'x', 'READ'),
      'error',
      'grants:USER:a',
      'x',
      'a target is TYPE:id',
    ],
    [
      'grants of no subject',
      ({ redis, names }) => redis.hset(names.grants('alice'), 'TAG:a:b', 'READ'),
      'warning',
      'grants:alice',
      '',
      'names no subject',
    ],
    [
      'grants of a group without a record',
      ({ redis, names }) => redis.hset(names.grants('GROUP:x'), 'TAG:a:b', 'READ'),
      'warning',
      'grants:GROUP:x',
      '',
      'the group x has no record',
    ],
    [
      'grants of an application without a record',
      ({ redis, names }) => redis.hset(names.grants('USER:app:x'), 'TAG:a:b', 'READ'),
      'warning',
      'grants:USER:app:x',
      '',
      'the application x has no record',
    ],
    [
      'a grant on a model that is not there',
      ({ redis, names }) => redis.hset(names.grants('USER:a'), 'INTEGRATION:p:x', 'READ'),
      'warning',
      'grants:USER:a',
      'INTEGRATION:p:x',
      'nothing of that name in models',
    ],
    [
      'a grant on an integration that is not there',
      ({ redis, names }) => redis.hset(names.grants('USER:a'), 'INTEGRATION_PROVIDER:x', 'READ'),
      'warning',
      'grants:USER:a',
      'INTEGRATION_PROVIDER:x',
      'integrations',
    ],
    [
      'a grant on a prompt that is not there',
      ({ redis, names }) => redis.hset(names.grants('USER:a'), 'PROMPT:x', 'READ'),
      'warning',
      'grants:USER:a',
      'PROMPT:x',
      'prompts',
    ],
    [
      'a grant on an application that is not there',
      ({ redis, names }) => redis.hset(names.grants('USER:a'), 'APPLICATION:x', 'READ'),
      'warning',
      'grants:USER:a',
      'APPLICATION:x',
      'applications',
    ],
    [
      'members of a group without a record',
      ({ redis, names }) => redis.sadd(names.members('x'), 'a'),
      'warning',
      'members:x',
      '',
      'the group x has no record',
    ],
    [
      'a member application without a record',
      async ({ put, redis, names }) => [await put('groups', 'g', {}), await redis.sadd(names.members('g'), 'app:x')],
      'warning',
      'members:g',
      'app:x',
      'the application has no record',
    ],
    [
      'a model of an integration that is not there',
      ({ put }) => put('models', 'x:m', {}),
      'warning',
      'models',
      'x:m',
      'the integration x does not exist',
    ],
    [
      'a model past its end, with the day and a living one',
      ({ put }) => put('models', 'p:cohere.command-r-v1:0', {}),
      'warning',
      'models',
      'p:cohere.command-r-v1:0',
      'end of life on 2026-08-19; a living alternative is global.amazon.nova-2-lite-v1:0',
    ],
    [
      'a model that its region does not have on demand, with the profiles that reach it',
      ({ put }) => {
        put('integrations', 'west', {
          type: 'aws_bedrock_cohere',
          configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'eu-west-2' },
        });
        return put('models', 'west:cohere.embed-v4:0', {});
      },
      'warning',
      'models',
      'west:cohere.embed-v4:0',
      'not on demand in eu-west-2, as of 2026-11-23: call it by eu.cohere.embed-v4:0 or global.cohere.embed-v4:0',
    ],
    [
      'a model whose modelId is past its end',
      ({ put }) => put('models', 'p:old', { configuration: { modelId: 'cohere.command-text-v14' } }),
      'warning',
      'models',
      'p:old',
      '2025-08-12',
    ],
    [
      'a cache of a model that only ranks',
      ({ put }) => put('models', 'p:cohere.rerank-v3-5:0', { configuration: { cache: { ttlSeconds: 60 } } }),
      'warning',
      'models',
      'p:cohere.rerank-v3-5:0',
      'configuration.cache does nothing: only embeddings and completions are kept',
    ],
    [
      'a role that gives nothing',
      ({ put }) => put('users', 'alice', { roles: ['USER', 'USR'] }),
      'warning',
      'users',
      'alice',
      'roles: the role USR gives nothing: it is none of the system\'s, has no record, and nothing is granted to it. Did you mean "USER"?',
    ],
    [
      'a grant to a role that nobody has',
      ({ redis, names }) => redis.hset(names.grants('ROLE:USR'), 'TAG:a:b', 'READ'),
      'warning',
      'grants:ROLE:USR',
      '',
      'nobody has it. Did you mean "USER"?',
    ],
    [
      'a prompt that no model may run',
      ({ put }) => put('prompts', 'x', { template: 't' }),
      'warning',
      'prompts',
      'x',
      'no model may run this prompt',
    ],
    [
      'a prompt for a model that is not there',
      ({ put }) => put('prompts', 'x', { template: 't', integrations: ['p:x'] }),
      'warning',
      'prompts',
      'x',
      'the model p:x does not exist',
    ],
    [
      'a prompt whose defaults fail its tasks',
      ({ put }) =>
        Promise.all([
          put('models', 'p:chat', {}),
          put('prompts', 'x', { template: 't', integrations: ['p:chat'], defaults: { temperature: 'hot' } }),
        ]),
      'warning',
      'prompts',
      'x',
      'tasks on p:chat fail where they do not give it themselves: The record of the prompt "x", defaults: Input: temperature',
    ],
    [
      'a model whose defaults fail its tasks',
      ({ put }) => put('models', 'p:chat', { configuration: { defaults: { topK: 'many' } } }),
      'warning',
      'models',
      'p:chat',
      'tasks fail where they do not give it themselves: The record of p:chat, configuration.defaults: Input: topK',
    ],
    [
      'a prompt with defaults that no prompt can have',
      ({ put }) => put('prompts', 'x', { template: 't', defaults: { temprature: 1 } }),
      'error',
      'prompts',
      'x',
      'defaults.temprature: unknown key. Did you mean "temperature"?',
    ],
    [
      'a prompt that does not say its own variables',
      ({ put }) =>
        Promise.all([
          put('models', 'p:chat', {}),
          put('prompts', 'x', { template: 'Hi', integrations: ['p:chat'], variables: ['txt'] }),
        ]),
      'warning',
      'prompts',
      'x',
      'variables has "txt", which the template has not',
    ],
    [
      'a bare secret',
      ({ put }) => put('integrations', 'k', configured({ ...ACCESS_KEY, api_key: 'bare-SECRET' })),
      'warning',
      'integrations',
      'k',
      'configuration.api_key stands in Redis as it is',
    ],
    [
      'a bare external id',
      ({ put }) => put('integrations', 'r', configured({ ...EXTERNAL_ROLE, externalId: 'bare-SECRET' })),
      'warning',
      'integrations',
      'r',
      'configuration.externalId stands in Redis as it is',
    ],
    [
      'a bare secret that is not even read',
      ({ put }) => put('integrations', 'c', configured({ api_key: 'bare-SECRET' })),
      'warning',
      'integrations',
      'c',
      'configuration.api_key stands in Redis as it is',
    ],
    [
      'a foreign role without an external id',
      ({ put }) => put('integrations', 'r', configured({ ...EXTERNAL_ROLE, externalId: undefined })),
      'warning',
      'integrations',
      'r',
      'configuration.externalId is missing',
    ],
    [
      'a key of another Redis type',
      ({ redis, names }) => redis.set(names.hash('groups'), 'x'),
      'error',
      'groups',
      '',
      'another Redis type',
    ],
    [
      'members of another Redis type',
      ({ redis, names }) => redis.hset(names.members('g'), 'a', '1'),
      'error',
      'members:g',
      '',
      'another Redis type',
    ],
    [
      'no integration at all',
      ({ redis, names }) => redis.del(names.hash('integrations')),
      'error',
      'integrations',
      '',
      'there is no integration',
    ],
  ])('%s', async (_, seed, severity, key, field, message) => {
    await using here = await install();
    await here.put('integrations', 'p', INTEGRATION);
    await seed(here);
    const { code, findings, output } = await check(here, {}, '--offline');
    expect(code).toBe(1);
    expect(findings).toEqual([
      { severity, key: `${here.names.prefix}${key}`, field, message: expect.stringContaining(message) },
    ]);
    expect(output).not.toContain('bare-SECRET');
  });

  it('all of them at once, in words, with their number', async () => {
    await using here = await install();
    await here.put('models', 'p:m', '{');
    await here.put('prompts', 'x', { template: 't' });
    const { code, stdout } = await here.run(['check', '--offline']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error {4}\S+integrations: there is no integration/m);
    expect(stdout).toMatch(/^error {4}\S+models p:m: not JSON$/m);
    expect(stdout).toMatch(/^warning {2}\S+prompts x: /m);
    expect(stdout).toContain('2 errors, 1 warning.');
  });
});
