import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { startRedis } from '../devservers/redis-server.ts';
import { createLiveCatalog, type LiveCatalog } from '../src/catalog/live-catalog.ts';
import { integrationTarget } from '../src/rbac/grants.ts';
import { openRedis } from '../src/redis/connect.ts';
import { keyNames } from '../src/redis/keys.ts';

const run = promisify(execFile);
const CATALOGS = 8;
const CHANGES = 200;
const MODELS = 1_000;

/**
 * How long a change takes to reach every worker: from the moment redis-cli has ended (it has Redis' reply by then, so
 * figures may be below zero and are cut there), and from the moment a connection already open has the reply. Eight
 * catalogs of 1,000 models each, in this one process, share one event loop: a worker alone is faster.
 */
export async function benchCatalog(): Promise<object> {
  const server = await startRedis();
  const names = keyNames('cohere:');
  const log = pino({ level: 'silent' });
  const target = { url: server.url, cluster: false };
  const writer = openRedis(target, 'writer', log);
  await writer.connect();
  await writer.hset(
    names.hash('models'),
    Object.fromEntries(
      Array.from({ length: MODELS }, (_, index) => [
        `bedrock:model-${index}`,
        '{"configuration":{"maxConcurrency":8}}',
      ]),
    ),
  );
  const catalogs: { catalog: LiveCatalog; close: () => void }[] = [];
  for (let index = 0; index < CATALOGS; index += 1) {
    const redis = openRedis(target, `catalog-${index}`, log);
    const ears = openRedis(target, `ears-${index}`, log, { protocol: 2, autoResubscribe: false });
    const catalog = createLiveCatalog({ redis, ears, names, log });
    catalog.start();
    await Promise.all([redis.connect(), ears.connect()]);
    catalogs.push({ catalog, close: () => [redis, ears].map((connection) => connection.disconnect()) });
  }
  await until(() => catalogs.every(({ catalog }) => catalog.loaded()));

  const byConnection: number[] = [];
  const byRedisCli: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const field = integrationTarget(`bedrock-${change}`);
    const heardByAll = () =>
      until(() =>
        catalogs.every(({ catalog }) => catalog.current().parts.grants.get('GROUP:analysts')?.has(field) === true),
      );
    if (change % 4 === 0) {
      const heard = heardByAll();
      await run('redis-cli', ['-u', server.url, 'HSET', names.grants('GROUP:analysts'), field, 'EXECUTE']);
      const written = performance.now();
      byRedisCli.push(Math.max(0, (await heard) - written));
    } else {
      await writer.hset(names.grants('GROUP:analysts'), field, 'EXECUTE');
      const written = performance.now();
      byConnection.push(Math.max(0, (await heardByAll()) - written));
    }
  }
  const readsBefore = await readsOf(writer);
  for (let lookup = 0; lookup < 100_000; lookup += 1)
    catalogs[0]?.catalog.current().model('bedrock', `model-${lookup % MODELS}`);
  const readsAfter = await readsOf(writer);

  for (const { catalog, close } of catalogs) {
    await catalog.stop();
    close();
  }
  writer.disconnect();
  await server.stop();
  return {
    unit: 'ms',
    catalogs: CATALOGS,
    models: MODELS,
    redisCli: summary(byRedisCli),
    openConnection: summary(byConnection),
    redisReadsPer100000Lookups: readsAfter - readsBefore,
  };
}

/** Resolves to the moment at which it was first true. */
async function until(condition: () => boolean): Promise<number> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  return performance.now();
}

async function readsOf(redis: ReturnType<typeof openRedis>): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/cmdstat_(?:hgetall|smembers|hscan|sscan|hget|hmget|scan):calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

function summary(values: readonly number[]) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2));
  return { changes: sorted.length, median: at(0.5), p99: at(0.99), max: at(1) };
}
