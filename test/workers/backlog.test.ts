import { expect, it } from 'vitest';
import { createBacklog } from '../../src/workers/backlog.ts';

it('has less room for every outcome that waits, until it is off', () => {
  const backlog = createBacklog(3, 1_000);
  const off = [backlog.enter(10), backlog.enter(10)];
  expect(backlog.room()).toBe(1);
  off[0]?.();
  off[0]?.();
  expect(backlog.room()).toBe(2);
});

it('has no room once the answers that wait are too large together', () => {
  const backlog = createBacklog(100, 1_000);
  const off = backlog.enter(1_000);
  expect(backlog.room()).toBe(0);
  off();
  expect(backlog.room()).toBe(100);
});

it('lets through while there is room, and then when one has left', async () => {
  const backlog = createBacklog(2);
  const { signal } = new AbortController();
  await backlog.untilRoom(signal);
  const off = backlog.enter(0);
  backlog.enter(0);
  const order: string[] = [];
  const waited = backlog.untilRoom(signal).then(() => order.push('through'));
  await new Promise((resolve) => setImmediate(resolve));
  order.push('leaves');
  off();
  await waited;
  expect(order).toEqual(['leaves', 'through']);
});

it('lets go of those who wait when the signal is aborted', async () => {
  const backlog = createBacklog(0);
  const stop = new AbortController();
  const waited = backlog.untilRoom(stop.signal);
  stop.abort();
  await expect(waited).resolves.toBeUndefined();
});
