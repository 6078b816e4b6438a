import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { startCatalog, until } from '../support/live-catalog.ts';

let server: Server;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

it('a Redis whose connections are open and carry nothing is noticed, and so is its return', async () => {
  await using under = await startCatalog(server.url);
  expect(under.catalog.staleForMs()).toBeUndefined();
  process.kill(server.processId, 'SIGSTOP');
  try {
    await until(() => under.catalog.staleForMs() !== undefined, 8_000);
    expect(under.captured.at('warn').map(({ msg }) => msg)).toContainEqual(expect.stringContaining('Redis is silent'));
  } finally {
    process.kill(server.processId, 'SIGCONT');
  }
  await until(() => under.catalog.staleForMs() === undefined, 8_000);
  await under.other.hset(under.names.hash('models'), 'p:m', '{}');
  await until(() => under.current().model('p', 'm').kind === 'found');
});
