import { expect, it } from 'vitest';
import { createBacklog } from '../../src/workers/backlog.ts';

it('lets through while there is room, and then when one has left', async () => {
  const backlog = createBacklog(2);
  const { signal } = new AbortController();
  await backlog.untilRoom(signal);
  backlog.enter();
  backlog.enter();
  const order: string[] = [];
  const waited = backlog.untilRoom(signal).then(() => order.push('through'));
  await new Promise((resolve) => setImmediate(resolve));
  order.push('leaves');
  backlog.leave();
  await waited;
  expect(order).toEqual(['leaves', 'through']);
  expect(backlog.size).toBe(1);
});

it('lets go of those who wait when the signal is aborted', async () => {
  const backlog = createBacklog(0);
  const stop = new AbortController();
  const waited = backlog.untilRoom(stop.signal);
  stop.abort();
  await expect(waited).resolves.toBeUndefined();
});
