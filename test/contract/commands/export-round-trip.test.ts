import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { commandTrail } from '../../../src/audit/trail.ts';
import { loadSnapshot } from '../../../src/catalog/load.ts';
import { nameFault } from '../../../src/catalog/records.ts';
import { apply } from '../../../src/manifests/apply.ts';
import { exportManifests } from '../../../src/manifests/export.ts';
import { SECTIONS } from '../../../src/manifests/manifest.ts';
import { parseManifests } from '../../../src/manifests/parse.ts';
import { manifestText, manifestValue } from '../../../src/manifests/write.ts';
import { ACCESSES, formatAccess } from '../../../src/rbac/grants.ts';
import { type HashKind, type KeyNames, keyNames, MANIFEST_KINDS } from '../../../src/redis/keys.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import type {} from '../../support/redis-for-all.ts';
import { freshPrefix } from '../support/live-catalog.ts';

/** What YAML could take for something else, or for its own. */
const AWKWARD = [
  '007',
  '1e3',
  'null',
  '~',
  'true',
  'yes',
  '1.10',
  '0x1F',
  '*a',
  '&a',
  '!a',
  '- a',
  '? a',
  '# a',
  ': ',
  '|',
  '>',
  '%a',
  '@a',
  '`',
  '"',
  "'",
  '<<',
  'ä→b',
  '2026-11-26',
  '.inf',
  '=',
  'a: b',
  'a #b',
  '{a}',
  '[a]',
  ' lead',
  'trail ',
  '__proto__',
  'constructor',
];
const name = fc.oneof(
  fc.constantFrom(...AWKWARD),
  fc
    .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
    .filter((text) => !/\p{Cc}/u.test(text) && text.isWellFormed()),
);
const text = fc.oneof(
  name,
  fc.string({ maxLength: 40, unit: 'binary' }).filter((each) => each.isWellFormed()),
  fc.constantFrom(
    '',
    '\n',
    'a\n',
    'a\n\n',
    '\n a\n',
    'a\r\nb',
    'a\tb',
    ' a\n  b',
    'x'.repeat(200),
    'line\n---\nline',
    '...\n',
  ),
);
const tags = fc.array(fc.record({ key: fc.constantFrom('tier', 'team', '~'), value: text }), { maxLength: 2 });
const audit = { createdBy: fc.constantFrom('alice', 'app:x', null), createTime: fc.nat(), updateTime: fc.nat() };
const optional = <T extends Record<string, fc.Arbitrary<unknown>>>(parts: T) => fc.record(parts, { requiredKeys: [] });
const connection = fc.constantFrom(
  { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
  {
    connectionType: 'EXTERNAL_ROLE',
    region: 'eu-west-1',
    roleArn: 'arn:aws:iam::111122223333:role/name',
    externalId: 'env:EXTERNAL_ID',
  },
  { connectionType: 'ACCESS_KEY', region: 'us-west-2', user: 'AKIA', api_key: 'file:key' },
);
const table = (names: fc.Arbitrary<string>, record: fc.Arbitrary<object>) =>
  fc.dictionary(names, record, { maxKeys: 4 });
const json = fc.jsonValue({ maxDepth: 2 }).filter((value) => JSON.stringify(value).isWellFormed());
const defaults = optional({ temperature: json, stopWords: json });

/** Records that name one another only where the other is there: what dangles is left out, see export.test.ts. */
const world = fc
  .record({
    integrations: table(
      fc.constantFrom('a', 'bedrock-prod', '007', '1.10', 'null', '0x1F'),
      fc
        .tuple(connection, optional({ description: text, enabled: fc.boolean(), tags, ...audit }))
        .map(([configuration, rest]) => ({ type: 'aws_bedrock_cohere', ...rest, configuration })),
    ),
    applications: table(
      name,
      optional({
        name: text,
        workflows: fc.array(fc.constantFrom('claims_*', '*', 'x'), { maxLength: 2 }),
        roles: fc.constantFrom(['ADMIN'], []),
        tags,
        ...audit,
      }),
    ),
    groups: table(name, optional({ description: text, roles: fc.array(name, { maxLength: 2 }), ...audit })),
    users: table(
      name.filter((id) => !id.startsWith('app:')),
      optional({ name: text, roles: fc.array(name, { maxLength: 2 }), ...audit }),
    ),
    roles: table(name, optional({ description: text, permissions: fc.array(name, { maxLength: 2 }) })),
  })
  .chain((one) => {
    const [integrations, applications, groups] = [one.integrations, one.applications, one.groups].map(Object.keys) as [
      string[],
      string[],
      string[],
    ];
    const model = fc.tuple(fc.constantFrom(...integrations, 'none'), name).map(([provider, id]) => `${provider}:${id}`);
    const members = [...applications.map((id) => `app:${id}`), 'alice@example.com', '~', '12'];
    return fc.record({
      one: fc.constant(one),
      models:
        integrations.length === 0
          ? fc.constant({})
          : table(
              model.filter((id) => !id.startsWith('none:') && nameFault('models', id) === undefined),
              optional({
                configuration: optional({
                  maxConcurrency: fc.integer({ min: 1 }),
                  modelId: fc.constantFrom('us.x', '1e3'),
                  defaults,
                }),
                enabled: fc.boolean(),
                tags,
              }),
            ),
      members: fc
        .dictionary(
          fc.constantFrom(...groups, ''),
          fc.uniqueArray(fc.constantFrom(...members), { minLength: 1, maxLength: 3 }),
          { maxKeys: 3 },
        )
        .map((all) => Object.fromEntries(Object.entries(all).filter(([group]) => group !== ''))),
    });
  })
  .chain(({ one, models, members }) => {
    const ids = Object.keys(models);
    const subjects = [
      ...Object.keys(one.groups).map((id) => `GROUP:${id}`),
      ...Object.keys(one.applications).map((id) => `USER:app:${id}`),
      'USER:alice',
      'ROLE:~',
    ];
    return fc.record({
      prompts: table(
        name,
        fc
          .tuple(
            text,
            optional({
              description: text,
              integrations: fc.subarray(ids),
              defaults,
              versions: fc.dictionary(
                fc.constantFrom('2', '10', '3'),
                fc.record({ template: text, defaults, description: text }, { requiredKeys: ['template'] }),
              ),
              tags,
              ...audit,
            }),
          )
          .map(([template, rest]) => ({ template, ...rest })),
      ),
      rest: fc.constant({ ...one, models, members }),
      granting: fc.array(
        fc.tuple(
          fc.constantFrom(...subjects),
          fc.constantFrom(
            ...ids.map((id) => `INTEGRATION:${id}`),
            ...Object.keys(one.integrations).map((id) => `INTEGRATION_PROVIDER:${id}`),
            'TAG:tier:',
            'TAG:~:null',
            'WORKFLOW_DEF:x',
          ),
          fc.subarray([...ACCESSES], { minLength: 1 }),
        ),
        { maxLength: 6 },
      ),
    });
  })
  .map(({ prompts, rest: { members, ...rest }, granting }) => ({ records: { ...rest, prompts }, members, granting }));

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

let redis: Redis;
beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());

async function seed(names: KeyNames, { records, members, granting }: World): Promise<void> {
  const pipeline = redis.pipeline();
  for (const [kind, named] of Object.entries(records))
    for (const [field, record] of Object.entries(named))
      pipeline.hset(names.hash(kind as HashKind), field, JSON.stringify(record));
  for (const [group, list] of Object.entries(members)) pipeline.sadd(names.members(group), ...list);
  for (const [subject, target, access] of granting) pipeline.hset(names.grants(subject), target, formatAccess(access));
  await pipeline.exec();
}

/** Every key with what it holds, to the byte. */
async function contents(prefix: string): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const key of (await redis.keys(`${prefix}*`)).sort()) {
    // What apply did is on record there.
    if (key === keyNames(prefix).audit) continue;
    all[key.slice(prefix.length)] =
      (await redis.type(key)) === 'set'
        ? (await redis.smembers(key)).sort()
        : Object.entries(await redis.hgetall(key)).sort(([a], [b]) => (a < b ? -1 : 1));
  }
  return all;
}

describe('what export writes', () => {
  it.each(['yaml', 'json'] as const)(
    'as %s brings apply, in an empty Redis, to the same records to the byte, and to the same text',
    async (form) => {
      let entries = 0;
      await fc.assert(
        fc.asyncProperty(world, async (drawn) => {
          const [from, to] = [keyNames(freshPrefix()), keyNames(freshPrefix())];
          await seed(from, drawn);
          const exported = exportManifests(await loadSnapshot(redis, from));
          expect(exported.leftOut).toEqual([]);
          const written =
            form === 'yaml' ? manifestText(exported, SECTIONS) : JSON.stringify(manifestValue(exported, SECTIONS));
          const { wanted, faults } = parseManifests([{ file: 'export.yaml', text: written }]);
          expect(faults).toEqual([]);
          const plan = await apply({
            redis,
            names: to,
            wanted,
            keyring: parseKeyring(undefined),
            trail: commandTrail(to, 3_600_000, 'apply'),
            prune: false,
            agree: () => true,
          });
          expect(plan.dangling).toEqual([]);
          expect(await contents(to.prefix)).toEqual(await contents(from.prefix));
          const again = exportManifests(await loadSnapshot(redis, to));
          expect(manifestText(again, SECTIONS)).toBe(manifestText(exported, SECTIONS));
          entries += plan.changes.length;
          const keys = [...(await redis.keys(`${from.prefix}*`)), ...(await redis.keys(`${to.prefix}*`))];
          if (keys.length > 0) await redis.del(keys);
        }),
        { numRuns: 150 },
      );
      // That there was something to compare.
      expect(entries).toBeGreaterThan(150 * MANIFEST_KINDS.length * 0.5);
    },
    120_000,
  );
});
