/** Counts what is written in five seconds: of a process that others hold up, all seven look at once. So it runs alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis } from '../../../devservers/redis-server.ts';
import type { Server } from '../../../devservers/server.ts';
import { commandCounts, freshPrefix, startCatalog } from '../support/live-catalog.ts';

/** A Redis of its own: commands are counted. */
let server: Server;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe('the canary', { timeout: 60_000 }, () => {
  it('is shared: among many workers about one a second writes it, and none while changes are heard', async () => {
    const prefix = freshPrefix();
    await using stack = new AsyncDisposableStack();
    for (let n = 0; n < 6; n += 1) stack.use(await startCatalog(server.url, { prefix }));
    await using under = await startCatalog(server.url, { prefix });
    const writes = async () => (await commandCounts(under.other))['set'] ?? 0;
    const before = await writes();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const idle = (await writes()) - before;
    expect(idle).toBeGreaterThan(0);
    // Each by itself would be more than 20.
    expect(idle).toBeLessThan(14);
    expect(under.catalog.staleForMs()).toBeUndefined();
    expect(under.captured.at('warn')).toEqual([]);
  });
});
