import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import type {} from '../../support/redis-for-all.ts';
import { connect, startLoop } from '../../workers/support/harness.ts';
import { claimed, poll } from '../support/ledger.ts';
import { openSweepWorld, QUEUE, type SweepWorld } from '../support/sweep-world.ts';

let world: SweepWorld;
beforeEach(async () => {
  world = await openSweepWorld(inject('redisUrl'));
});
afterEach(() => world[Symbol.asyncDispose]());

it('a worker that was frozen with a poll open sends nothing about its tasks, which others have by now', async () => {
  const { stub, ledgers } = world;
  const [a, b, c] = [await ledgers.open('a'), await world.sweeper('b'), await ledgers.open('c')];
  const dead = a.store.incarnation;
  const taskId = stub.add(QUEUE, { workflowType: 'claims' });
  const { promise: awake, resolve: wake } = Promise.withResolvers<void>();
  stub.on.poll = ({ workerId }) => (workerId === dead ? { until: awake } : undefined);
  await using loop = startLoop(stub, { realLedger: a.store });
  await expect.poll(() => stub.tasks.get(taskId)?.workerId).toBe(dead);

  await ledgers.untilMissed(b, c);
  await world.age(10_000);
  await b.look();
  expect(world.givenBack()).toEqual([taskId]);
  await b.store.flush();
  stub.queueAgain(QUEUE, taskId);
  const other = connect(stub);
  await other.conductor.poll({ queue: QUEUE, count: 1, waitMs: 5, workerId: c.store.incarnation, domain: undefined });
  expect(await claimed(c, poll(taskId, 2))).toEqual(['ours']);
  await other.close();

  wake();
  await expect.poll(() => loop.lostPolls).toEqual([dead]);
  expect(a.store.incarnation).not.toBe(dead);
  await loop.stop();
  expect(world.givenBack()).toEqual([taskId]);
  expect(stub.tasks.get(taskId)).toMatchObject({ status: 'IN_PROGRESS', workerId: c.store.incarnation, pollCount: 2 });
});
