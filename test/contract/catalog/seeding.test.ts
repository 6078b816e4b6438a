import { describe, expect, inject, it } from 'vitest';
import { decide } from '../../../src/rbac/decision.ts';
import { applicationUser, type SubjectId, user } from '../../../src/rbac/subject.ts';
import type {} from '../../support/redis-for-all.ts';
import { type CatalogUnderTest, startCatalog, until } from '../support/live-catalog.ts';

const start = () => startCatalog(inject('redisUrl'));

/** The contract's own examples ("What Redis holds"), as an administrator types them into redis-cli. */
async function seedAsTheContractShows({ other, names }: CatalogUnderTest): Promise<void> {
  const key = (name: string) => `${names.prefix}${name}`;
  const commands: [string, ...string[]][] = [
    [
      'HSET',
      key('integrations'),
      'bedrock-prod',
      '{"type":"aws_bedrock_cohere","enabled":true,"description":"…",\n      "configuration":{"connectionType":"EXTERNAL_ROLE","region":"us-east-1","roleArn":"arn:aws:iam::111122223333:role/conductor","externalId":"env:EXTERNAL"}}',
    ],
    [
      'HSET',
      key('models'),
      'bedrock-prod:cohere.embed-v4:0',
      '{"enabled":true,"configuration":{"maxConcurrency":8},"tags":[{"key":"tier","value":"gold"}]}',
    ],
    [
      'HSET',
      key('prompts'),
      'summarize',
      '{"template":"Summarize: ${text}","integrations":["bedrock-prod:cohere.command-r-v1:0"],"versions":{"2":{"template":"…"}}}',
    ],
    ['HSET', key('groups'), 'analysts', '{"description":"…","roles":["USER"]}'],
    ['SADD', key('members:analysts'), 'alice@example.com', 'app:claims'],
    ['HSET', key('applications'), 'claims', '{"name":"claims","workflows":["claims_*"]}'],
    ['HSET', key('users'), 'alice@example.com', '{"name":"Alice","roles":["USER"]}'],
    ['HSET', key('grants:GROUP:analysts'), 'INTEGRATION:bedrock-prod:cohere.embed-v4:0', 'EXECUTE'],
    ['HSET', key('grants:USER:app:claims'), 'INTEGRATION_PROVIDER:bedrock-prod', 'READ,EXECUTE'],
  ];
  for (const [command, ...args] of commands) await other.call(command, ...args);
}

async function seeded(): Promise<CatalogUnderTest> {
  const under = await start();
  await seedAsTheContractShows(under);
  await until(() => under.current().grantsOf('USER:app:claims' as SubjectId).size === 1);
  return under;
}

describe("the contract's examples, typed by redis-cli", () => {
  it('are read without a fault', async () => {
    await using under = await seeded();
    const snapshot = under.current();
    expect([...snapshot.faults()]).toEqual([]);
    expect(snapshot.empty).toBe(false);
    expect(snapshot.integration('bedrock-prod')).toMatchObject({
      kind: 'found',
      record: { enabled: true, configuration: { connectionType: 'EXTERNAL_ROLE', region: 'us-east-1' } },
    });
    expect(snapshot.model('bedrock-prod', 'cohere.embed-v4:0')).toMatchObject({
      kind: 'found',
      record: { configuration: { maxConcurrency: 8, timeoutMs: 120_000 }, tags: [{ key: 'tier', value: 'gold' }] },
    });
    expect(snapshot.prompt('summarize')).toMatchObject({ kind: 'found', record: { template: 'Summarize: ${text}' } });
    expect([...snapshot.applications()]).toMatchObject([['claims', { workflows: ['claims_*'] }]]);
    expect(snapshot.user('alice@example.com')?.roles).toEqual(['USER']);
    expect(under.captured.at('warn')).toEqual([]);
  });

  it('keep the application among the members of its group', async () => {
    await using under = await seeded();
    expect(under.current().groupsOf('app:claims')).toEqual(['analysts']);
    expect(under.current().groupsOf('alice@example.com')).toEqual(['analysts']);
  });

  it('hold several accesses of one grant, separated by commas', async () => {
    await using under = await seeded();
    const grants = under.current().grantsOf('USER:app:claims' as SubjectId);
    expect([...(grants.get('INTEGRATION_PROVIDER:bedrock-prod' as never) ?? [])]).toEqual(['READ', 'EXECUTE']);
  });

  it('decide who may use what, down to an emptied group', async () => {
    await using under = await seeded();
    const embed = { kind: 'model', integration: 'bedrock-prod', model: 'cohere.embed-v4:0', tags: [] } as const;
    const other = { ...embed, model: 'cohere.command-r-v1:0' };
    const alice = user('alice@example.com');
    expect(decide(under.current(), alice, embed).kind).toBe('allow');
    expect(decide(under.current(), alice, other).kind).toBe('deny');
    expect(decide(under.current(), applicationUser('claims'), other).kind).toBe('allow');

    await under.other.srem(under.names.members('analysts'), 'alice@example.com');
    await until(() => decide(under.current(), alice, embed).kind === 'deny');
  });

  it('enable a record that does not say enabled, and keep one off that says false', async () => {
    await using under = await seeded();
    const { other, names, current } = under;
    await other.hset(names.hash('models'), 'bedrock-prod:a', '{}', 'bedrock-prod:b', '{"enabled":false}');
    await until(() => current().model('bedrock-prod', 'b').kind === 'found');
    expect(current().model('bedrock-prod', 'a')).toMatchObject({ record: { enabled: true } });
    expect(current().model('bedrock-prod', 'b')).toMatchObject({ record: { enabled: false } });
  });
});

describe('a catalog that was seeded before the worker started', () => {
  it('is whole at the first load', async () => {
    await using first = await seeded();
    await using second = await startCatalog(inject('redisUrl'), { prefix: first.names.prefix });
    expect(second.current().parts.tables.models.size).toBe(1);
    expect(second.current().groupsOf('app:claims')).toEqual(['analysts']);
    expect(second.seen).toHaveLength(1);
  });

  it('counts as empty without an integration, whatever else there is', async () => {
    await using under = await start();
    await under.other.hset(under.names.hash('models'), 'p:m', '{}');
    await until(() => under.current().model('p', 'm').kind === 'found');
    expect(under.current().empty).toBe(true);
  });
});
