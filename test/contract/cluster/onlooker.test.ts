import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { createOnlooker, type Onlooker } from '../../../src/cluster/onlooker.ts';
import type {} from '../../support/redis-for-all.ts';
import { openLedgers } from '../support/ledger.ts';
import { until } from '../support/live-catalog.ts';
import { type LaneWorld, startLaneWorld, type WorkerOfLanes } from './support/lane-world.ts';

let world: LaneWorld;
let caller: WorkerOfLanes;
let onlooker: Onlooker;
let told: number;
beforeEach(async () => {
  world = await startLaneWorld(inject('redisUrl'));
  await world.other.del(world.names.ledger.epoch);
  caller = await world.worker({ leaseMs: 900 });
  told = 0;
  onlooker = createOnlooker({
    redis: caller.redis,
    keys: world.names.ledger,
    log: world.captured.log,
    forgotten: () => {
      told += 1;
    },
  });
});
afterEach(async () => {
  await onlooker.stop();
  await world[Symbol.asyncDispose]();
});

describe('one that takes no tasks and yet has places in lanes', () => {
  it('begins the time of a Redis that has seen no worker: a lease later, places are given', async () => {
    expect((await caller.ask({ concurrency: 1 })).granted).toEqual([]);
    expect(await world.other.exists(world.names.ledger.epoch)).toBe(0);
    await onlooker.look();
    expect((await caller.ask({ concurrency: 1 })).granted).toEqual([]);
    await expect.poll(async () => (await caller.ask({ concurrency: 1 })).granted.length).toBe(1);
  });

  it('is no member: no worker counts it or waits for it', async () => {
    await onlooker.look();
    expect(await world.other.exists(world.names.ledger.workers)).toBe(0);
    expect(onlooker.workers).toBe(0);
  });

  it('leaves the time and the server as workers have told them', async () => {
    await using ledgers = await openLedgers(inject('redisUrl'));
    const { store } = await ledgers.open('a');
    await store.tick();
    const { epoch, primary, workers } = ledgers.keys;
    const before = await world.other.mget(epoch, primary);
    const beside = createOnlooker({
      ...{ redis: caller.redis, keys: ledgers.keys, log: world.captured.log, forgotten: () => undefined },
    });
    await beside.look();
    expect(await world.other.mget(epoch, primary)).toEqual(before);
    expect(beside.workers).toBe(1);
    expect(await world.other.zcard(workers)).toBe(1);
  });

  it('says once that Redis forgot, so that what is held is told again', async () => {
    await onlooker.look();
    await onlooker.look();
    expect(told).toBe(0);
    await world.other.del(world.names.ledger.epoch);
    await onlooker.look();
    await onlooker.look();
    expect(told).toBe(1);
  });

  it('has to look again after its connection was lost, and then says so, too', async () => {
    onlooker.start();
    await until(() => onlooker.hasLooked);
    await world.other.client('KILL', 'ID', String(await caller.redis.client('ID')));
    await until(() => told === 1, 10_000);
    expect(onlooker.hasLooked).toBe(true);
  });
});
