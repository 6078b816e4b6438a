import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createPatience } from '../../src/calls/patience.ts';

it('does not end while one of several turns runs, and does once all are over', async () => {
  const patience = createPatience(20, () => new Error('over'));
  const { promise, resolve } = Promise.withResolvers<void>();
  const long = patience.pausedFor(() => promise);
  await patience.pausedFor(async () => undefined);
  await sleep(60);
  expect(patience.signal.aborted).toBe(false);
  resolve();
  await long;
  await sleep(60);
  expect(patience.signal.aborted).toBe(true);
});
