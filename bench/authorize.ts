import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { promptTarget } from '../src/rbac/grants.ts';
import { type SubjectId, subjectId } from '../src/rbac/subject.ts';
import { keyNames } from '../src/redis/keys.ts';
import { groupName, userName, writeAccessWorld } from './support/access-world.ts';
import { type CatalogProcess, startCatalogProcess } from './support/catalog-process.ts';
import type { LoopReport } from './support/event-loop.ts';
import { percentile, residentMb, round } from './support/measure.ts';
import { type BenchOptions, say } from './support/options.ts';
import { PREFIX, startWorld } from './support/world.ts';

const FULL = { users: 100_000, groups: 10_000, models: 1_000, grants: 1_000_000 };
const QUICK = { users: 10_000, groups: 1_000, models: 200, grants: 100_000 };
const RELOADS = 3;
/** Access keys of applications: a token of one that is switched off is refused as soon as the catalog knows. */
const KEYS = 1_000;

interface Loading {
  readonly tookMs: number;
  readonly loop: LoopReport;
}

/**
 * Decisions and changes in a large installation: a catalog in a process of its own is asked for random decisions, and for
 * the moment from which it shows a change that Redis has acknowledged to this process; everything is read anew while its
 * event loop is watched. And what a real worker needs of memory with that catalog.
 */
export async function benchAuthorize({ quick }: BenchOptions) {
  const size = quick ? QUICK : FULL;
  await using world = await startWorld({ conductor: 'stub' });
  const { redis } = world;
  const names = keyNames(PREFIX);
  const bare = await workerMemory(world);
  say('writing the world');
  const written = await writeAccessWorld(redis, names, size);
  say(`written: ${JSON.stringify(written)}`);

  const { options } = redis;
  await using catalog = await startCatalogProcess(`redis://${options.host}:${options.port}`, PREFIX);
  const first = await catalog.ask<Loading>({ kind: 'load' });
  say(`loaded: ${JSON.stringify(first)}`);
  const afterLoad = await catalog.ask<object>({ kind: 'memory' });
  say(`memory: ${JSON.stringify(afterLoad)}`);
  const decisions = await catalog.ask<object>({ kind: 'decisions', size, count: quick ? 200_000 : 400_000 });
  say(`decisions: ${JSON.stringify(decisions)}`);

  const changes = quick ? 50 : 200;
  const target = promptTarget('a-new-prompt');
  const grant = await inEffect(catalog, changes, 20, (n) => {
    const subject: SubjectId = subjectId(
      n % 2 === 0 ? { type: 'USER', id: userName(n) } : { type: 'GROUP', id: groupName(n) },
    );
    return [{ kind: 'grant', subject, target }, () => redis.hset(names.grants(subject), target, 'EXECUTE')];
  });
  say(`a grant: ${JSON.stringify(grant)}`);
  const membership = await inEffect(catalog, changes, 20, (n) => {
    const [user, group] = [`app:newcomer-${n}`, groupName(n)];
    return [{ kind: 'member', user, group }, () => redis.sadd(names.members(group), user)];
  });
  say(`a membership: ${JSON.stringify(membership)}`);
  await redis.hset(names.hash('access-keys'), ...accessKeys(KEYS, true).flat());
  const accessKey = await inEffect(catalog, changes, 20, (n) => {
    const [key, record] = accessKeys(KEYS, false)[n] as [string, string];
    return [{ kind: 'switched-off', key }, () => redis.hset(names.hash('access-keys'), key, record)];
  });
  say(`an access key switched off: ${JSON.stringify(accessKey)}`);
  const field = await inEffect(catalog, quick ? 10 : 30, 200, (n) => {
    const [user, name] = [userName(n * 97), `Renamed ${n}`];
    return [{ kind: 'user', user, name }, () => redis.hset(names.hash('users'), user, JSON.stringify({ name }))];
  });
  say(`a field of ${size.users}: ${JSON.stringify(field)}`);

  const reloads: Loading[] = [];
  for (let turn = 0; turn < RELOADS; turn += 1) {
    const reload = catalog.ask<Loading>({ kind: 'reload' });
    await sleep(100);
    await cutSubscriber(redis, 'ears');
    reloads.push(await reload);
    say(`read again: ${JSON.stringify(reloads.at(-1))}`);
    await sleep(1_000);
  }
  const afterReloads = await catalog.ask<object>({ kind: 'memory' });
  await catalog[Symbol.asyncDispose]();
  const full = await workerMemory(world);
  return {
    ...written,
    decisions,
    inEffectMs: { grant, membership, accessKey, field },
    load: first,
    reloads,
    memory: { afterLoad, afterReloads },
    worker: { residentMbWithout: bare, residentMbWith: full },
  };
}

function accessKeys(count: number, enabled: boolean): [string, string][] {
  return Array.from({ length: count }, (_, n) => {
    const record = { application: `app-${n}`, applicationUid: `uid-${n}`, enabled, createdAt: 1_790_000_000_000 };
    return [`key-${n}`, JSON.stringify(record)];
  });
}

/** From Redis' acknowledgment until the catalog shows it. The clocks of both processes are one; below zero is cut there. */
async function inEffect(
  catalog: CatalogProcess,
  times: number,
  pauseMs: number,
  change: (n: number) => [Parameters<CatalogProcess['ask']>[0], () => Promise<unknown>],
) {
  const took: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const [question, write] = change(n);
    const shown = catalog.ask<number>(question);
    await sleep(2);
    await write();
    const acknowledged = performance.timeOrigin + performance.now();
    took.push(Math.max(0, (await shown) - acknowledged));
    await sleep(pauseMs);
  }
  const at = (part: number): number => round(percentile(took, part));
  return { changes: times, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** The catalog reads everything again once its subscriber is back. */
async function cutSubscriber(redis: Redis, name: string): Promise<void> {
  const list = String(await redis.client('LIST'));
  const id = list
    .split('\n')
    .find((line) => line.includes(` name=${name} `))
    ?.match(/^id=(\d+)/)?.[1];
  if (id === undefined) throw new Error(`no connection named ${name}`);
  await redis.client('KILL', 'ID', id);
}

/** Of a real worker that has read everything, after ten seconds. */
async function workerMemory(world: Awaited<ReturnType<typeof startWorld>>): Promise<number> {
  await world.redis.hset(
    `${PREFIX}integrations`,
    'bedrock-0',
    '{"type":"aws_bedrock_cohere","configuration":{"connectionType":"CONDUCTOR_ROLE","region":"us-east-1"}}',
  );
  const worker = await world.startWorker();
  await sleep(10_000);
  const resident = round(await residentMb(worker.processId), 1);
  await worker.stop(0);
  return resident;
}
