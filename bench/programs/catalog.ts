/** A catalog as a worker holds it, in a process of its own: it does and measures what its parent asks by message. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { createLiveCatalog } from '../../src/catalog/live-catalog.ts';
import type { Snapshot } from '../../src/catalog/snapshot.ts';
import { decide, type Target } from '../../src/rbac/decision.ts';
import { type Subject, user } from '../../src/rbac/subject.ts';
import { openRedis } from '../../src/redis/connect.ts';
import { keyNames } from '../../src/redis/keys.ts';
import { createLog } from '../../src/telemetry/log.ts';
import {
  type AccessWorldSize,
  createRandom,
  integrationName,
  modelName,
  tagsOf,
  userName,
} from '../support/access-world.ts';
import type { Answer, Ask } from '../support/catalog-process.ts';
import { watchEventLoop } from '../support/event-loop.ts';
import { round } from '../support/measure.ts';

// As src/cli.ts does for a worker.
setFlagsFromString('--semi-space-growth-factor=1');
const [, , url = '', prefix = ''] = process.argv;
const log = createLog('warn');
const target = { url, cluster: false };
const emptyMb = memory().heapMb;
const redis = openRedis(target, 'catalog', log);
const ears = openRedis(target, 'ears', log, { protocol: 2, autoResubscribe: false });
const names = keyNames(prefix);
const catalog = createLiveCatalog({ redis, ears, names, log });
/** What waits for a snapshot. */
const looks = new Set<(snapshot: Snapshot) => void>();
catalog.onChange((snapshot) => {
  for (const look of looks) look(snapshot);
});

/** Resolves once it is so; it is looked at in every turn. */
function when(isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => void (isSo() ? resolve() : setImmediate(look));
    look();
  });
}

/** Resolves to the moment of the first snapshot that shows it, in milliseconds since 1970. */
function shown(isShown: (snapshot: Snapshot) => boolean): Promise<number> {
  return new Promise((resolve) => {
    const look = (snapshot: Snapshot): void => {
      if (!isShown(snapshot)) return;
      looks.delete(look);
      resolve(performance.timeOrigin + performance.now());
    };
    looks.add(look);
    look(catalog.current());
  });
}

async function load() {
  const loop = watchEventLoop();
  const began = performance.now();
  catalog.start();
  for (const connection of [redis, ears]) void connection.connect();
  await when(() => catalog.loaded());
  const tookMs = round(performance.now() - began, 0);
  return { tookMs, loop: await loop.stop(), faults: [...catalog.current().faults()].length };
}

/** Everything read again, as after the loss of a connection, which the parent cuts. */
async function reload() {
  await when(() => catalog.staleForMs() !== undefined);
  const loop = watchEventLoop();
  const began = performance.now();
  await when(() => catalog.staleForMs() === undefined);
  return { tookMs: round(performance.now() - began, 0), loop: await loop.stop() };
}

/**
 * Random users and models, half of them such that the user holds a grant on the model. Names come out of JSON just before
 * they are asked about, as those of a task or of a request do.
 */
async function decisions(size: AccessWorldSize, count: number) {
  const random = createRandom(2);
  const snapshot = catalog.current();
  const questions: string[] = [];
  for (let index = 0; index < Math.min(count, 200_000); index += 1) {
    // The connections need their turns meanwhile.
    if (index % 1_000 === 0) await sleep(1);
    const id = random(50) === 0 ? `nobody-${index}` : userName(random(size.users));
    const held = [...snapshot.grantsOf(`USER:${id}` as never).keys()].find((on) => on.startsWith('INTEGRATION:'));
    const model = index % 2 === 0 || held === undefined ? random(size.models) : Number(/model-(\d+)/.exec(held)?.[1]);
    const names = { integration: integrationName(model), model: modelName(model), tags: tagsOf(model) };
    questions.push(JSON.stringify([user(id), { kind: 'model', ...names }]));
  }
  const took = new Float64Array(count);
  let allowed = 0;
  for (let round = -1, done = 0; done < count; round += 1) {
    for (const [index, question] of questions.entries()) {
      // The connections need their turns meanwhile.
      if (index % 1_000 === 0) await sleep(1);
      const [subject, at] = JSON.parse(question) as readonly [Subject, Target];
      const began = performance.now();
      const decision = decide(snapshot, subject, at);
      const ms = performance.now() - began;
      // The first round is for the compiler.
      if (round < 0) continue;
      if (done >= count) break;
      took[done] = ms * 1_000;
      done += 1;
      if (decision.kind === 'allow') allowed += 1;
    }
  }
  // In place, and by number: a copy of a million would hold up the connections for seconds.
  took.sort();
  const at = (part: number): number => round(took[Math.max(0, Math.ceil(count * part) - 1)] ?? Number.NaN);
  return {
    ...{ count, allowed: round(allowed / count), unit: 'µs' },
    ...{ p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) },
  };
}

function memory() {
  for (let times = 0; times < 3; times += 1) globalThis.gc?.();
  const { heapUsed, rss, external } = process.memoryUsage();
  const mb = (bytes: number): number => round(bytes / 1e6, 1);
  return { heapMb: mb(heapUsed), externalMb: mb(external), residentMb: mb(rss) };
}

async function answer(ask: Ask): Promise<unknown> {
  switch (ask.kind) {
    case 'load':
      return await load();
    case 'reload':
      return await reload();
    case 'decisions':
      return await decisions(ask.size, ask.count);
    case 'memory':
      await sleep(500);
      return { emptyHeapMb: emptyMb, ...memory() };
    case 'grant':
      return await shown((snapshot) => snapshot.grantsOf(ask.subject).has(ask.target));
    case 'member':
      return await shown((snapshot) => snapshot.groupsOf(ask.user).includes(ask.group));
    case 'user':
      return await shown((snapshot) => snapshot.user(ask.user)?.name === ask.name);
    case 'switched-off':
      return await shown((snapshot) => snapshot.accessKey(ask.key)?.enabled === false);
  }
}

process.on('message', (ask: Ask) => {
  void answer(ask).then((value) => process.send?.({ id: ask.id, value } satisfies Answer));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ id: 0, value: undefined } satisfies Answer);
