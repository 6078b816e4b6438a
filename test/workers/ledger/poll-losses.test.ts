import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createPollLosses } from '../../../src/workers/ledger/poll-losses.ts';

it('a lost poll goes on record, however often Redis is away at first', async () => {
  const written: string[] = [];
  let fails = 1;
  const losses = createPollLosses({
    suspects: {
      async suspect(incarnation) {
        fails -= 1;
        if (fails >= 0) throw new Error('Redis is away');
        written.push(incarnation);
      },
    },
  });
  losses.note('pod/1');
  await expect.poll(() => written, { timeout: 5_000 }).toEqual(['pod/1']);
  losses.note('pod/1');
  await expect.poll(() => written).toEqual(['pod/1', 'pod/1']);
  await losses.stop();
  losses.note('pod/2');
  expect(written).toHaveLength(2);
});

it('a stop waits until every lost poll is on record, and tries once more where Redis was away', async () => {
  const written: string[] = [];
  let fails = 1;
  const losses = createPollLosses({
    suspects: {
      async suspect(incarnation) {
        await sleep(20);
        fails -= 1;
        if (fails >= 0) throw new Error('Redis is away');
        written.push(incarnation);
      },
    },
  });
  losses.note('pod/1');
  await losses.stop();
  expect(written).toEqual(['pod/1']);
});
