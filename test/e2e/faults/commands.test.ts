/** Redis is killed (SIGKILL) at every command of `apply` and of `secrets rotate`, and started again on what it had on disk. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSigningKey } from '../../../src/identity/signing.ts';
import { type SecretField, secretPlace } from '../../../src/integrations/secrets/secret-fields.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { seal, unseal } from '../../../src/secrets/envelope.ts';
import { parseKeyring } from '../../../src/secrets/keyring.ts';
import { until } from '../../contract/support/live-catalog.ts';
import { type CliResult, runCli } from '../../support/cli.ts';
import { encryptionKeys } from '../../support/encryption-keys.ts';
import { type FaultProxy, type Moment, startFaultProxy, type Words } from '../../support/fault-proxy.ts';
import { everythingIn, type MortalRedis, startMortalRedis } from '../../support/mortal-redis.ts';
import { testTrail } from '../../support/trail.ts';

const names = keyNames('cohere:');
const KEYS = encryptionKeys('new', 'old');

let redis: MortalRedis;
let proxy: FaultProxy;
let folder: string;
beforeAll(async () => {
  redis = await startMortalRedis();
  proxy = await startFaultProxy(redis);
  folder = await mkdtemp(join(tmpdir(), 'faults-'));
});
afterAll(async () => {
  await proxy?.close();
  await redis?.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (args: readonly string[]) =>
  runCli(args, { REDIS_URL: `redis://127.0.0.1:${proxy.port}`, ENCRYPTION_KEYS: KEYS });

/** The commands that a run sends where nothing goes wrong. */
async function commandsOf(args: readonly string[]): Promise<readonly Words[]> {
  proxy.disarm();
  expect((await run(args)).code).toBe(0);
  return proxy.disarm();
}

/** Runs a command of ours, kills Redis at its nth command to Redis, and starts it again once ours has ended. */
async function runAndKill(
  args: readonly string[],
  index: number,
  moment: Moment,
  isWritten: () => Promise<boolean> = async () => true,
): Promise<CliResult> {
  const struck = proxy.arm({
    on: (_, at) => at === index,
    moment,
    async act() {
      if (moment === 'after') await until(isWritten);
      await redis.kill();
    },
  });
  const ran = await run(args);
  await struck;
  await redis.restart();
  return ran;
}

/** Redis as it was, running and knowing no script yet, so that the same commands come again. */
async function reset(contents: Readonly<Record<string, unknown>>): Promise<void> {
  await redis.restart();
  proxy.disarm();
  await redis.with(async (connection) => {
    await connection.script('FLUSH');
    await connection.flushall();
    for (const [key, value] of Object.entries(contents)) {
      if (Array.isArray(value)) await connection.sadd(key, ...(value as string[]));
      else await connection.hset(key, value as Record<string, string>);
    }
  });
}

/** Everything but what went on record, which has times in it. */
const withoutRecords = ({ 'cohere:audit': _, ...definitions }: Record<string, unknown>) => definitions;
const contents = async () => withoutRecords(await redis.contents());

/** What the client sends before any command of ours. */
const isGreeting = ([command = '']: Words) => /^(hello|client|info)$/i.test(command);
/** One of its kind came before: what writes nothing by itself is struck once. */
const isSeen = (commands: readonly Words[], index: number) =>
  commands.findIndex(([command]) => command === commands[index]?.[0]) < index;
/** The transaction of `apply`, or the script that stands in its place. */
const writes = ([command = '']: Words) => /^(exec|eval|evalsha)$/i.test(command);
const isScript = ([command = '']: Words) => /^eval(sha)?$/i.test(command);

describe('apply', () => {
  const OLD = `
integrations: { a: { type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: us-east-1 } } }
models: { "a:cohere.embed-v4:0": {} }
groups: { analysts: { members: [alice, bob] }, leaving: { members: [carol] } }
grants: [{ subject: "GROUP:analysts", target: "INTEGRATION_PROVIDER:a", access: [EXECUTE] }]
`;
  const NEW = `
integrations:
  a: { type: aws_bedrock_cohere, configuration: { connectionType: CONDUCTOR_ROLE, region: eu-west-1 } }
  b: { type: aws_bedrock_cohere, configuration: { connectionType: ACCESS_KEY, region: us-east-1, user: AKIAUSER, api_key: a-bare-nightingale } }
models: { "a:cohere.embed-v4:0": { enabled: false }, "b:cohere.embed-v4:0": {} }
groups: { analysts: { members: [bob, dave] } }
grants: [{ subject: "GROUP:analysts", target: "INTEGRATION_PROVIDER:b", access: [READ, EXECUTE] }]
`;
  let args: string[];

  /** Everything but the bytes of envelopes, which are others each time. */
  const comparable = (contents: object) => JSON.stringify(contents).replaceAll(/enc:v1:new:[\w+/=]+/g, 'SEALED');

  beforeAll(async () => {
    args = ['apply', '-f', join(folder, 'new.yaml'), '--prune', '--yes'];
    await writeFile(join(folder, 'old.yaml'), OLD);
    await writeFile(join(folder, 'new.yaml'), NEW);
  });

  it('leaves the old state or the new, whichever of its commands Redis dies at, and says which it may be', async () => {
    await redis.with((connection) => connection.flushall());
    expect((await run(['apply', '-f', join(folder, 'old.yaml')])).code).toBe(0);
    const before = await contents();
    await reset(before);
    const commands = await commandsOf(args);
    const after = comparable(await contents());
    expect(after).not.toBe(comparable(before));
    const exec = commands.findLastIndex(writes);
    expect(exec).toBeGreaterThan(5);
    for (const [index, command] of commands.entries()) {
      if (index > exec || isGreeting(command) || isSeen(commands, index)) continue;
      for (const moment of ['before', 'amid'] as const) {
        // Of what writes nothing by itself, once is enough.
        if (moment === 'amid' && index !== exec) continue;
        await reset(before);
        const { code, stderr } = await runAndKill(args, index, moment);
        const where = `${moment} command ${index}, ${command.slice(0, 2).join(' ')}: ${stderr}`;
        expect(code, where).toBe(3);
        expect(await contents(), where).toEqual(before);
        expect(stderr, where).not.toContain('nightingale');
        if (index === exec) expect(stderr, where).toContain('what was to be written may be written or not');
      }
    }
    await reset(before);
    const isWritten = async () => comparable(await contents()) === after;
    const { code, stderr } = await runAndKill(args, exec, 'after', isWritten);
    expect([code, stderr]).toEqual([3, expect.stringContaining('what was to be written may be written or not')]);
    expect(comparable(await contents())).toBe(after);
    expect((await run(args)).stdout).toContain('Nothing to change');
  }, 300_000);

  it('leaves the old state or the new, however much of its transaction came to the disk', async () => {
    await redis.with((connection) => connection.flushall());
    expect((await run(['apply', '-f', join(folder, 'old.yaml')])).code).toBe(0);
    const states = [comparable(await contents())];
    const { size } = await stat(redis.appendOnlyFile);
    expect((await run(args)).code).toBe(0);
    states.push(comparable(await contents()));
    const written = await readFile(redis.appendOnlyFile);
    const found: number[] = [];
    for (let part = 0; part <= 24; part += 1) {
      await redis.kill();
      await writeFile(
        redis.appendOnlyFile,
        written.subarray(0, size + Math.floor(((written.length - size) * part) / 24)),
      );
      await redis.restart();
      found.push(states.indexOf(comparable(await contents())));
    }
    expect(found).toEqual([...Array.from({ length: 24 }, () => 0), 1]);
  });
});

describe('secrets rotate', () => {
  const RECORDS = ['a', 'b', 'c', 'd'];
  const secretOf = (name: string) => `nightingale-of-${name}`;
  const old = parseKeyring(encryptionKeys('old'));
  let args: string[];
  let kid: string;

  /** Every record under the old key; the secret of one stands there bare. */
  async function seeded(): Promise<Record<string, unknown>> {
    return await redis.with(async (connection) => {
      await connection.flushall();
      for (const name of RECORDS) {
        const sealed = (field: SecretField) => seal(secretOf(name), secretPlace(name, field), old);
        const configuration = {
          connectionType: 'ACCESS_KEY',
          region: 'us-east-1',
          user: 'AKIAUSER',
          api_key: name === 'c' ? secretOf(name) : sealed('api_key'),
          externalId: sealed('externalId'),
        };
        const record = JSON.stringify({ type: 'aws_bedrock_cohere', configuration });
        await connection.hset(names.hash('integrations'), name, record);
      }
      kid = (await loadSigningKey({ redis: connection, names, keyring: old, trail: testTrail(names) })).kid;
      return withoutRecords(await everythingIn(connection));
    });
  }

  /** That every secret is the one it was, and how many of the records are under the newest key, in whole. */
  async function rotatedRecords(): Promise<number> {
    return await redis.with(async (connection) => {
      let rotated = 0;
      for (const name of RECORDS) {
        const text = (await connection.hget(names.hash('integrations'), name)) ?? '';
        const { configuration } = JSON.parse(text) as { configuration: Record<string, string> };
        const underNewest = (['api_key', 'externalId'] as const).map((field) => {
          const secret = configuration[field] ?? '';
          const opened = secret.startsWith('enc:')
            ? unseal(secret, secretPlace(name, field), parseKeyring(KEYS))
            : secret;
          expect(opened).toBe(secretOf(name));
          return secret.startsWith('enc:v1:new:');
        });
        expect(underNewest[0], `half of ${name}`).toBe(underNewest[1]);
        if (underNewest[0]) rotated += 1;
      }
      const signing = await loadSigningKey({
        redis: connection,
        names,
        keyring: parseKeyring(KEYS),
        trail: testTrail(names),
      });
      expect(signing.kid).toBe(kid);
      if (((await connection.hget(names.admin.signing, kid)) ?? '').startsWith('enc:v1:new:')) rotated += 1;
      return rotated;
    });
  }

  it('leaves each record old or new, whichever of its commands Redis dies at; every one opens, and another run ends it', async () => {
    args = ['secrets', 'rotate', '--output', 'json'];
    const before = await seeded();
    await reset(before);
    const commands = await commandsOf(args);
    expect(await rotatedRecords()).toBe(RECORDS.length + 1);
    const counts = new Set<number>();
    for (const [index, command] of commands.entries()) {
      for (const moment of ['before', 'amid', 'after'] as const) {
        if (isGreeting(command) || (!isScript(command) && (moment !== 'before' || isSeen(commands, index)))) continue;
        await reset(before);
        // The first EVALSHA writes nothing: Redis does not know the script yet.
        const written = commands.slice(0, index + 1).filter(isScript).length - 1;
        const isWritten = async () => (await rotatedRecords()) >= written;
        const { code, stderr } = await runAndKill(args, index, moment, isWritten);
        const where = `${moment} command ${index}, ${command.slice(0, 1).join(' ')}: ${stderr}`;
        expect(code, where).toBe(3);
        expect(stderr, where).not.toContain('nightingale');
        if (isScript(command)) {
          expect(stderr, where).toMatch(
            /may be written or not\. \d+ secrets? (was|were) brought under the newest key before/,
          );
        }
        counts.add(await rotatedRecords());
        if (moment !== 'before' || !isScript(command)) continue;
        const { code: again, stdout } = await run(args);
        expect(again, where).toBe(0);
        expect(JSON.parse(stdout).unneededKeys, where).toEqual(['old']);
        expect(await rotatedRecords(), where).toBe(RECORDS.length + 1);
      }
    }
    // It was struck between any two records.
    expect([...counts].sort()).toEqual(Array.from({ length: RECORDS.length + 2 }, (_, at) => at));
    const { code, stdout } = await run(['secrets', 'rotate']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('Nothing to do')]);
  }, 300_000);
});
