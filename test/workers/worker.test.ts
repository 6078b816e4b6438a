import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { openRedis, RUNTIME_CONNECTION } from '../../src/redis/connect.ts';
import { startWorker } from '../../src/workers/worker.ts';
import { capturedLog } from './support/harness.ts';
import { type StubConductor, startStubConductor } from './support/stub-conductor.ts';

let stub: StubConductor;
beforeEach(async () => {
  stub = await startStubConductor();
});
afterEach(() => stub[Symbol.asyncDispose]());

/** Redis is away: nobody listens on port 1. */
function start() {
  const config = parseConfig({
    CONDUCTOR_SERVER_URL: stub.apiUrl,
    REDIS_URL: 'redis://127.0.0.1:1',
    WORKER_ID: 'pod-0',
    HTTP_PORT: '0',
    DRAIN_TIMEOUT_MS: '100',
    REGISTER_TASK_DEFINITIONS: 'none',
  });
  const { log } = capturedLog();
  const [redis, ears] = [openRedis(config.redis, 'a', log), openRedis(config.redis, 'b', log, { protocol: 2 })];
  const runtime = openRedis(config.redis, 'c', log, RUNTIME_CONNECTION);
  return startWorker({ config, log, redis, runtime, ears, variables: {} });
}

describe('a worker', () => {
  it('has another id at every start, under the same label', async () => {
    const workers = await Promise.all([start(), start(), start()]);
    const ids = workers.map(({ id }) => id);
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^pod-0\/[0-9a-f]{12}$/);
  });

  it('whose Redis is away is alive, not ready, and polls nothing', async () => {
    const worker = await start();
    const at = (path: string) => fetch(`http://127.0.0.1:${worker.httpPort}${path}`);
    const [alive, ready] = [await at('/healthz'), await at('/readyz')];
    const { reasons } = (await ready.json()) as { reasons: string[] };
    expect([alive.status, ready.status]).toEqual([200, 503]);
    expect(reasons.join()).toMatch(/catalog|starting/);
    expect(stub.polls).toEqual([]);
    expect(await worker.stop()).toBe(true);
    expect(worker.state).toBe('stopped');
  });

  it('may be stopped more than once, with one answer', async () => {
    const worker = await start();
    expect(worker.stop()).toBe(worker.stop());
    expect(await worker.stop()).toBe(true);
  });
});
