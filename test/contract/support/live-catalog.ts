/** A catalog on a real Redis, what it logs, and a plain connection of somebody else who changes the records. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createLiveCatalog, type LiveCatalog } from '../../../src/catalog/live-catalog.ts';
import type { Snapshot } from '../../../src/catalog/snapshot.ts';
import { openRedis } from '../../../src/redis/connect.ts';
import { type KeyNames, keyNames } from '../../../src/redis/keys.ts';
import { createLog } from '../../../src/telemetry/log.ts';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A logger whose lines can be read. */
export function capturedLog(level = 'debug') {
  const lines: LogLine[] = [];
  const log = createLog(level, { write: (text: string) => void lines.push(JSON.parse(text)) });
  return { log, lines, at: (wanted: string) => lines.filter((line) => line.level === wanted) };
}

/** Asks again every 5 ms until the answer is true. @throws after `timeoutMs` (default 2 s) */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 2_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not true within ${timeoutMs} ms: ${condition}`);
    await sleep(5);
  }
}

export interface CatalogUnderTest extends AsyncDisposable {
  readonly catalog: LiveCatalog;
  readonly redis: Redis;
  readonly ears: Redis;
  readonly names: KeyNames;
  /** Another connection, as redis-cli would be. */
  readonly other: Redis;
  readonly captured: ReturnType<typeof capturedLog>;
  /** Every snapshot since the start, in order. */
  readonly seen: readonly Snapshot[];
  current(): Snapshot;
  loaded(): Promise<void>;
}

export interface CatalogOptions {
  readonly prefix?: string;
  /** URL of the connections of the catalog, where it is not the one of the other. */
  readonly url?: string;
  /** URL of the subscriber alone, where it is another again. */
  readonly earsUrl?: string;
  /** Default false. True: no subscriber is given, so that the catalog polls. */
  readonly polled?: boolean;
  /** Default true: waits until everything is read. */
  readonly load?: boolean;
}

let made = 0;
/** A prefix that nobody else in this run has. */
export const freshPrefix = (): string => `t${process.pid}-${++made}:`;

export async function startCatalog(redisUrl: string, options: CatalogOptions = {}): Promise<CatalogUnderTest> {
  const captured = capturedLog();
  const target = { url: options.url ?? redisUrl, cluster: false };
  const redis = openRedis(target, 'catalog', captured.log);
  const ears = openRedis({ ...target, url: options.earsUrl ?? target.url }, 'catalog-ears', captured.log, {
    protocol: 2,
    autoResubscribe: false,
  });
  const names = keyNames(options.prefix ?? freshPrefix());
  const other = new Redis(redisUrl, { retryStrategy: () => 50 });
  other.on('error', () => undefined);
  const catalog = createLiveCatalog({ redis, ears: options.polled ? undefined : ears, names, log: captured.log });
  const seen: Snapshot[] = [];
  catalog.onChange((snapshot) => seen.push(snapshot));
  catalog.start();
  for (const connection of [redis, ears]) connection.connect().catch(() => undefined);
  const under: CatalogUnderTest = {
    catalog,
    redis,
    ears,
    names,
    other,
    captured,
    seen,
    current: catalog.current,
    loaded: () => until(() => catalog.loaded() && catalog.staleForMs() === undefined, 10_000),
    async [Symbol.asyncDispose]() {
      const stopped = catalog.stop();
      for (const connection of [redis, ears, other]) connection.disconnect();
      await stopped;
    },
  };
  if (options.load !== false) await under.loaded();
  return under;
}

export const INTEGRATION = JSON.stringify({
  type: 'aws_bedrock_cohere',
  configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' },
});
export const MODEL = '{"configuration":{"maxConcurrency":8}}';

/** How often Redis ran a command, by its name in capitals (no `CLIENT|…` apart from the whole). */
export async function commandCounts(redis: Redis): Promise<Readonly<Record<string, number>>> {
  const info = await redis.info('commandstats');
  return Object.fromEntries(
    [...info.matchAll(/^cmdstat_([\w|-]+):calls=(\d+)/gm)].map(([, name = '', calls]) => [name, Number(calls)]),
  );
}
