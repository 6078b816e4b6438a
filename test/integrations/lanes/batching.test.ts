import { describe, expect, it } from 'vitest';
import { type ErrorCode, ServiceError } from '../../../src/errors.ts';
import type { LaneUse } from '../../../src/integrations/lanes/lane-use.ts';
import { laneTask, soloLanes, useOf } from './support/solo-lanes.ts';

/** Uses whose calls are written down; `bad` works are refused, and with them whatever shares their request. */
function calls({
  bad = [] as string[],
  code = 'REQUEST_REFUSED' as ErrorCode,
  held = undefined as Promise<void> | undefined,
} = {}) {
  const sent: string[][] = [];
  const use = (work: string, more: Partial<LaneUse<string, string>> = {}) =>
    useOf(async () => work, {
      task: laneTask(),
      work,
      batch: { key: 'k', bytes: 10 },
      async start(works) {
        sent.push([...works]);
        await held;
        if (works.some((one) => bad.includes(one))) throw new ServiceError(code, 'a bad text');
        return works.map((value) => ({ kind: 'done', value }));
      },
      ...more,
    });
  return { sent, use };
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `text-${index}`);

describe('tasks that may share a request', () => {
  it('do where they came together, and nobody waits for more', async () => {
    const { lanes } = soloLanes();
    const { sent, use } = calls();
    await Promise.all(names(10).map((name) => lanes.through(use(name))));
    await lanes.through(use('later'));
    expect(sent).toEqual([names(10), ['later']]);
  });

  it('travel together once all calls are busy', async () => {
    const { lanes } = soloLanes({ limits: { perWorker: 1 } });
    const { promise, resolve } = Promise.withResolvers<void>();
    const { sent, use } = calls({ held: promise });
    const first = lanes.through(use('first'));
    await new Promise((turn) => setImmediate(turn));
    const others = names(50).map((name) => lanes.through(use(name)));
    await new Promise((turn) => setImmediate(turn));
    expect(sent).toEqual([['first']]);
    resolve();
    expect(await Promise.all([first, ...others])).toEqual(['first', ...names(50)]);
    expect(sent).toEqual([['first'], names(50)]);
  });

  it('are 96 at most', async () => {
    const { lanes } = soloLanes({ limits: { perWorker: 1 } });
    const { sent, use } = calls();
    await Promise.all(names(200).map((name) => lanes.through(use(name))));
    expect(sent.map((works) => works.length)).toEqual([96, 96, 8]);
  });

  it('and a megabyte at most', async () => {
    const { lanes } = soloLanes({ limits: { perWorker: 1 } });
    const { sent, use } = calls();
    const large = { batch: { key: 'k', bytes: 400_000 } };
    await Promise.all(names(5).map((name) => lanes.through(use(name, large))));
    expect(sent.map((works) => works.length)).toEqual([2, 2, 1]);
  });

  it('never share one with others of other options', async () => {
    const { lanes } = soloLanes({ limits: { perWorker: 1 } });
    const { sent, use } = calls();
    const other = { batch: { key: 'other', bytes: 10 } };
    await Promise.all(names(6).map((name, index) => lanes.through(use(name, index % 2 === 0 ? {} : other))));
    expect(sent).toEqual([
      ['text-0', 'text-2', 'text-4'],
      ['text-1', 'text-3', 'text-5'],
    ]);
  });
});

describe('a bad text among them', () => {
  it('fails its own task alone', async () => {
    const { lanes } = soloLanes({ limits: { perWorker: 1 } });
    const { sent, use } = calls({ bad: ['text-13', 'text-40'] });
    const outcomes = await Promise.allSettled(names(64).map((name) => lanes.through(use(name))));
    const failed = outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
    expect(failed).toEqual([13, 40]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(62);
    // Halving finds two among 64 in a bounded number of requests, each admitted by itself.
    expect(sent.length).toBeLessThanOrEqual(1 + 2 * 2 * 6);
  });

  it('fails its own task alone where the model failed over it, and nobody is asked again for another fault', async () => {
    const failing = async (code: ErrorCode) => {
      const { lanes } = soloLanes({ limits: { perWorker: 1 } });
      const { sent, use } = calls({ bad: ['text-2'], code });
      const outcomes = await Promise.allSettled(names(4).map((name) => lanes.through(use(name))));
      return { failed: outcomes.filter(({ status }) => status === 'rejected').length, sent: sent.length };
    };
    expect(await failing('MODEL_FAILED')).toEqual({ failed: 1, sent: 5 });
    expect(await failing('MODEL_TIMEOUT')).toEqual({ failed: 4, sent: 1 });
  });

  it('is admitted again for every half', async () => {
    const { lanes, admissions, released } = soloLanes({ limits: { concurrency: 1 } });
    const { sent, use } = calls({ bad: ['text-1'] });
    const outcomes = await Promise.allSettled(names(4).map((name) => lanes.through(use(name))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(sent).toEqual([
      ['text-0', 'text-1', 'text-2', 'text-3'],
      ['text-0', 'text-1'],
      ['text-0'],
      ['text-1'],
      ['text-2', 'text-3'],
    ]);
    expect(released).toHaveLength(sent.length);
    expect(admissions.length).toBeGreaterThanOrEqual(sent.length);
  });

  it('takes nobody along whose own part was decided otherwise', async () => {
    const { lanes } = soloLanes({ limits: { perWorker: 1 } });
    const { use } = calls();
    const denied = new ServiceError('PERMISSION_DENIED', 'revoked since');
    const start: LaneUse<string, string>['start'] = async (works) =>
      works.map((value) => (value === 'text-1' ? { kind: 'failed', error: denied } : { kind: 'done', value }));
    const outcomes = await Promise.allSettled(names(3).map((name) => lanes.through(use(name, { start }))));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});
