import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountsOf } from '../../src/limits/accounts.ts';
import { createLimitBook, type Limit } from '../../src/limits/limit-book.ts';
import { user } from '../../src/rbac/subject.ts';
import { snapshotOf, WORLD, type World } from '../workers/support/llm.ts';

const LIMIT = { maxTokens: 100, frequency: 'daily' };
const LIMITED = {
  ...WORLD,
  integrations: { ...WORLD.integrations, prod: { ...WORLD.integrations.prod, maxTokens: 900, frequency: 'monthly' } },
  models: {
    'prod:a': { configuration: { modelId: 'one' }, maxTokens: 50, frequency: 'daily' },
    'prod:b': { configuration: { modelId: 'one' }, maxTokens: 40, frequency: 'daily' },
    'prod:c': { configuration: { modelId: 'one' }, maxTokens: 70, frequency: 'weekly' },
    'prod:d': { configuration: {}, maxTokens: 60 },
  },
  groups: { analysts: LIMIT, others: LIMIT, half: { frequency: 'daily' } },
  members: { analysts: ['alice', 'app:claims'], half: ['alice'], gone: ['alice'] },
  applications: { claims: { workflows: ['claims_*'], ...LIMIT } },
  users: { alice: { ...LIMIT, frequency: 'weekly' }, bob: {} },
} satisfies World;

const named = (limits: Iterable<Limit>) =>
  [...limits].map(({ kind, name, maxTokens, frequency }) => `${kind} ${name} ${maxTokens} ${frequency}`);
async function limitsOf(subject: string | undefined, lane = 'prod:d', world: World = LIMITED) {
  const snapshot = await snapshotOf(world);
  const runsFor = subject === undefined ? undefined : user(subject);
  return named(createLimitBook().on(snapshot, accountsOf(snapshot, { integration: 'prod', lane, subject: runsFor })));
}

describe('the limits that concern a call', () => {
  it('are those of the integration, the subject and its groups; a limit of half a record is none', async () => {
    expect(await limitsOf('alice')).toEqual([
      'integration prod 900 monthly',
      'user alice 100 weekly',
      'group analysts 100 daily',
    ]);
    expect(await limitsOf('app:claims')).toEqual([
      'integration prod 900 monthly',
      'application claims 100 daily',
      'group analysts 100 daily',
    ]);
    for (const nobody of ['bob', 'stranger', undefined])
      expect(await limitsOf(nobody)).toEqual(['integration prod 900 monthly']);
  });

  it('are of a model the tightest of each frequency of all records that name the same', async () => {
    expect(await limitsOf(undefined, 'prod:one')).toEqual([
      'model prod:b 40 daily',
      'model prod:c 70 weekly',
      'integration prod 900 monthly',
    ]);
  });

  it('follow the records: another state of the models has others', async () => {
    const book = createLimitBook();
    const before = await snapshotOf(LIMITED);
    expect(named(book.on(before, ['MODEL:prod:one']))).toHaveLength(2);
    const after = await snapshotOf({ ...LIMITED, models: { 'prod:a': LIMITED.models['prod:a'] } }, before.parts);
    expect(named(book.on(after, ['MODEL:prod:one']))).toEqual(['model prod:a 50 daily']);
  });

  it.each([
    ['applications', 'claims', '{"workflows":"all","maxTokens":5,"frequency":"daily"}'],
    ['groups', 'analysts', '{"maxTokens":"5","frequency":"daily"}'],
  ] as const)('cannot be known where the record of %s is broken and seems to set one', async (kind, name, text) => {
    const world = { ...LIMITED, [kind]: { [name]: text } };
    await expect(limitsOf('app:claims', 'prod:d', world)).rejects.toMatchObject({ code: 'RECORD_INVALID' });
    await expect(limitsOf('bob', 'prod:d', world)).resolves.toEqual(['integration prod 900 monthly']);
  });

  it.each([
    [
      'of the same id, by its text',
      'prod:b',
      '{"configuration":{"modelId":"one"},"maxTokens":"40","frequency":"daily"}',
    ],
    ['of the same id, no JSON', 'prod:b', '{"configuration":{"modelId":"one"},"maxTokens":40,'],
    ['of the id itself', 'prod:one', '{"configuration":{"timeoutMs":"x","maxConcurrency":2}}'],
    ['of the same id, with another limit', 'prod:b', '{"configuration":{"modelId":"one","requestsPerMinute":"1"}}'],
  ])('cannot be known where another model’s record is broken and seems to set one: %s', async (_, name, text) => {
    const world: World = { ...LIMITED, models: { ...LIMITED.models, [name]: text } };
    await expect(limitsOf(undefined, 'prod:one', world)).rejects.toMatchObject({
      code: 'RECORD_INVALID',
      message: expect.stringContaining(`The record of the model ${name} seems to set a limit`),
    });
    // Another model, or the same id of another integration, is none of its business.
    await expect(limitsOf(undefined, 'prod:d', world)).resolves.toEqual(['integration prod 900 monthly']);
    await expect(limitsOf(undefined, 'other:one', world)).resolves.toEqual(['integration prod 900 monthly']);
    expect(named(createLimitBook().of(await snapshotOf(world), 'MODEL:prod:one'))).not.toEqual([]);
  });

  it('cannot be known by a broken record that an ARN names, whose account is not told', async () => {
    const arn = 'prod:arn:aws:bedrock:us-east-1:111122223333:imported-model/x';
    const world: World = {
      ...LIMITED,
      models: { ...LIMITED.models, [arn]: '{"configuration":{"modelId":"one"},"maxTokens":"x"}' },
    };
    const refused = limitsOf(undefined, 'prod:one', world);
    await expect(refused).rejects.toThrow('imported-model/x');
    await expect(refused).rejects.not.toThrow('111122223333');
  });

  it('are as before where another model’s broken record sets none, or is of another id', async () => {
    for (const text of [
      '{"configuration":{"modelId":"one","timeoutMs":"x"}}',
      '{"configuration":{"modelId":"oneself"},"maxTokens":"x"}',
    ]) {
      const world: World = { ...LIMITED, models: { ...LIMITED.models, 'prod:e': text } };
      expect(await limitsOf(undefined, 'prod:one', world)).toHaveLength(3);
    }
  });

  it('are as before where a broken record sets none', async () => {
    const world = { ...LIMITED, groups: { analysts: '{"descripton":"x"}' } };
    expect(await limitsOf('app:claims', 'prod:d', world)).toEqual([
      'integration prod 900 monthly',
      'application claims 100 daily',
    ]);
  });

  it('are listed as the records set them', async () => {
    expect(named(createLimitBook().all(await snapshotOf(LIMITED)))).toEqual([
      'model prod:a 50 daily',
      'model prod:b 40 daily',
      'model prod:c 70 weekly',
      'integration prod 900 monthly',
      'group analysts 100 daily',
      'group others 100 daily',
      'application claims 100 daily',
      'user alice 100 weekly',
    ]);
  });

  it('concern nobody else, whatever groups and limits there are', async () => {
    const ids = ['u0', 'u1', 'u2', 'app:a0', 'app:a1'] as const;
    const limited = fc.subarray(['u0', 'u1', 'a0', 'a1', 'g0', 'g1', 'g2']);
    const members = fc.tuple(fc.subarray([...ids]), fc.subarray([...ids]), fc.subarray([...ids]));
    await fc.assert(
      fc.asyncProperty(limited, members, fc.constantFrom(...ids), async (withLimit, [g0, g1, g2], subject) => {
        const of = (names: readonly string[]) =>
          Object.fromEntries(names.map((name) => [name, withLimit.includes(name) ? LIMIT : {}]));
        const groups: Readonly<Record<string, readonly string[]>> = { g0, g1, g2 };
        const world: World = {
          ...{ users: of(['u0', 'u1', 'u2']), applications: of(['a0', 'a1']), groups: of(['g0', 'g1', 'g2']) },
          members: groups,
        };
        const expected = withLimit.filter((name) =>
          name.startsWith('g') ? groups[name]?.includes(subject) : name === subject.replace('app:', ''),
        );
        const found = await limitsOf(subject, 'prod:d', world);
        expect(found.map((text) => text.split(' ')[1]).sort()).toEqual([...expected].sort());
      }),
    );
  });
});
