import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openRedis } from '../../../src/redis/connect.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { createDenialRecorder, type Denial } from '../../../src/telemetry/denials.ts';
import type {} from '../../support/redis-for-all.ts';
import { capturedLog, freshPrefix } from '../support/live-catalog.ts';

const DENIAL: Denial = {
  subject: 'USER:app:claims',
  source: 'application',
  target: 'bedrock-prod:cohere.embed-v4:0',
  missing: 'EXECUTE on INTEGRATION:bedrock-prod:cohere.embed-v4:0',
  mode: 'enforce',
  workflowId: 'workflow-1',
  workflowType: 'claims_intake',
  taskId: 'task-1',
};

let redis: Redis;
beforeEach(() => {
  redis = new Redis(inject('redisUrl'));
});
afterEach(() => redis.disconnect());

const fieldsOf = (fields: readonly string[]) =>
  Object.fromEntries(fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1]]] : [])));

describe('the record of denials', () => {
  it('is the stream <prefix>run:denials, one entry a denial with every field and the time', async () => {
    const prefix = freshPrefix();
    const { log, at } = capturedLog();
    const recorder = createDenialRecorder({ redis, stream: keyNames(prefix).denials, log });
    recorder.record(DENIAL);
    recorder.record({ ...DENIAL, mode: 'audit', taskId: 'task-2' });
    await recorder.flush();

    const entries = await redis.xrange(`${prefix}run:denials`, '-', '+');
    const [first, second] = entries.map(([, fields]) => fieldsOf(fields));
    expect(first).toEqual({ ...DENIAL, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) });
    expect(second).toMatchObject({ mode: 'audit', taskId: 'task-2' });
    expect(at('info').map(({ msg }) => msg)).toEqual(['A task is denied', 'A task would be denied']);
  });

  it('keeps about the last 10,000', async () => {
    const stream = keyNames(freshPrefix()).denials;
    const recorder = createDenialRecorder({ redis, stream, log: capturedLog('silent').log });
    for (let written = 0; written < 11_000; written += 500) {
      for (let n = 0; n < 500; n += 1) recorder.record({ ...DENIAL, taskId: `task-${written + n}` });
      await recorder.flush();
    }
    const kept = await redis.xlen(stream);
    expect(kept).toBeGreaterThanOrEqual(10_000);
    expect(kept).toBeLessThan(10_500);
    const [newest] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1);
    expect(fieldsOf(newest?.[1] ?? [])).toMatchObject({ taskId: 'task-10999' });
  });

  it('warns and goes on where the key is of another type', async () => {
    const stream = keyNames(freshPrefix()).denials;
    await redis.set(stream, 'a string');
    const { log, at } = capturedLog();
    const recorder = createDenialRecorder({ redis, stream, log });
    recorder.record(DENIAL);
    await recorder.flush();
    expect(at('warn')).toMatchObject([{ msg: 'A denial could not be put on record in Redis' }]);
  });

  it('holds no more than 1,000 in memory for a Redis that is away, yet logs every one', async () => {
    const { log, at } = capturedLog();
    const away = openRedis({ url: 'redis://127.0.0.1:1', cluster: false }, 'away', capturedLog('silent').log);
    let asked = 0;
    const counted = new Proxy(away, {
      get: (target, name) => {
        if (name === 'xadd') asked += 1;
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const recorder = createDenialRecorder({ redis: counted, stream: 'x', log });
    for (let n = 0; n < 1_200; n += 1) recorder.record(DENIAL);
    expect(asked).toBe(1_000);
    expect(at('info')).toHaveLength(1_200);
    await recorder.flush();
    away.disconnect();
    expect(at('warn')).toHaveLength(1_000);
  });
});
