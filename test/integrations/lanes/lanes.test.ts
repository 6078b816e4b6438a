import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { soloLanes, useOf } from './support/solo-lanes.ts';

const NEVER = new AbortController().signal;

/** A call that ends when it is told to. */
function held() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let begun = false;
  return {
    run: () => {
      begun = true;
      return promise;
    },
    begun: () => begun,
    resolve,
    reject,
  };
}

const settled = async () => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};
type Solo = ReturnType<typeof soloLanes>;
const through = (
  { lanes, state }: Solo,
  perWorker: number | undefined,
  run: () => Promise<string>,
  waiting = NEVER,
  lane = 'a',
) => {
  state.limits = { ...state.limits, perWorker };
  return lanes.through(useOf(run, { lane, waiting }));
};

describe('a lane', () => {
  it('is never above its limit, and runs everything, whatever each use takes', async () => {
    const use = fc.record({
      lane: fc.constantFrom('a', 'b'),
      turns: fc.integer({ min: 1, max: 4 }),
      fails: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(use, { maxLength: 25 }), fc.integer({ min: 1, max: 4 }), async (uses, limit) => {
        const solo = soloLanes();
        const running = { a: 0, b: 0 };
        const most = { a: 0, b: 0 };
        const results = await Promise.allSettled(
          uses.map(({ lane, turns, fails }, index) =>
            through(
              solo,
              limit,
              async () => {
                running[lane] += 1;
                most[lane] = Math.max(most[lane], running[lane]);
                for (let turn = 0; turn < turns; turn += 1) await settled();
                running[lane] -= 1;
                if (fails) throw new Error(`${index}`);
                return `${index}`;
              },
              NEVER,
              lane,
            ),
          ),
        );
        for (const lane of ['a', 'b'] as const) {
          const asked = uses.filter((one) => one.lane === lane).length;
          expect(most[lane]).toBeLessThanOrEqual(limit);
          // As many at once as are allowed: all of them were asked for in the same turn.
          expect(most[lane]).toBe(Math.min(limit, asked));
        }
        expect(results.map((result) => result.status === 'rejected')).toEqual(uses.map(({ fails }) => fails));
        expect([...solo.lanes.loads()]).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('starts uses in the order in which they came', async () => {
    const solo = soloLanes();
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2, 3].map((index) =>
        through(solo, 1, async () => {
          order.push(index);
          await settled();
          return '';
        }),
      ),
    );
    expect(order).toEqual([0, 1, 2, 3]);
  });

  it('without a limit holds nothing back', async () => {
    const solo = soloLanes();
    const calls = Array.from({ length: 300 }, held);
    const all = Promise.all(calls.map(({ run }) => through(solo, undefined, run)));
    await settled();
    expect(calls.every((call) => call.begun())).toBe(true);
    for (const call of calls) call.resolve('');
    await all;
  });

  it('does not hold another lane back', async () => {
    const solo = soloLanes();
    const [blocking, other] = [held(), held()];
    const first = through(solo, 1, blocking.run, NEVER, 'a');
    const second = through(solo, 1, other.run, NEVER, 'b');
    other.resolve('other');
    expect(await second).toBe('other');
    blocking.resolve('');
    await first;
  });

  it('gives what the use gives, and its error as it is', async () => {
    const solo = soloLanes();
    const error = new Error('refused');
    expect(await through(solo, 1, async () => 'answer')).toBe('answer');
    await expect(through(solo, 1, () => Promise.reject(error))).rejects.toBe(error);
    expect(await through(solo, 1, async () => 'after')).toBe('after');
  });

  it('ends a use that throws instead of rejecting, and lets the next one in', async () => {
    const solo = soloLanes();
    const error = new Error('denied since');
    const throwing = through(solo, 1, () => {
      throw error;
    });
    const outcome = await Promise.race([throwing.catch((thrown: unknown) => thrown), settled().then(() => 'hangs')]);
    expect(outcome).toBe(error);
    expect(await through(solo, 1, async () => 'after')).toBe('after');
    expect([...solo.lanes.loads()]).toEqual([]);
  });
});

describe('a changed limit', () => {
  it('that is higher lets waiting uses in with the next one', async () => {
    const solo = soloLanes();
    const calls = [held(), held(), held()];
    const uses = calls.map(({ run }, index) => through(solo, index < 2 ? 1 : 3, run));
    await settled();
    expect(calls.map((call) => call.begun())).toEqual([true, true, true]);
    for (const call of calls) call.resolve('');
    await Promise.all(uses);
  });

  it('that is lower ends nothing and holds for whoever comes after', async () => {
    const solo = soloLanes();
    const calls = Array.from({ length: 5 }, held);
    const uses = calls.slice(0, 3).map(({ run }) => through(solo, 3, run));
    await settled();
    uses.push(...calls.slice(3).map(({ run }) => through(solo, 1, run)));
    await settled();
    const begun = () => calls.filter((call) => call.begun()).length;
    expect(begun()).toBe(3);
    calls[0]?.resolve('');
    calls[1]?.resolve('');
    await settled();
    expect(begun()).toBe(3);
    calls[2]?.resolve('');
    await settled();
    expect(begun()).toBe(4);
    for (const call of calls) call.resolve('');
    await Promise.all(uses);
    expect(begun()).toBe(5);
  });
});

describe('a use that no longer wants to wait', () => {
  it('leaves with the signal’s reason and never runs', async () => {
    const solo = soloLanes();
    const [blocking, left, after] = [held(), held(), held()];
    const first = through(solo, 1, blocking.run);
    const leaving = new AbortController();
    const second = through(solo, 1, left.run, leaving.signal);
    const third = through(solo, 1, after.run);
    const reason = new Error('shutting down');
    leaving.abort(reason);
    await expect(second).rejects.toBe(reason);
    blocking.resolve('');
    after.resolve('next');
    expect([await first, await third]).toEqual(['', 'next']);
    expect(left.begun()).toBe(false);
  });

  it('before it came is not let in', async () => {
    const solo = soloLanes();
    const call = held();
    const reason = new Error('gone');
    await expect(through(solo, 1, call.run, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(call.begun()).toBe(false);
    expect([...solo.lanes.loads()]).toEqual([]);
  });

  it('is not broken off once it runs', async () => {
    const solo = soloLanes();
    const call = held();
    const leaving = new AbortController();
    const use = through(solo, 1, call.run, leaving.signal);
    await settled();
    leaving.abort();
    call.resolve('done');
    expect(await use).toBe('done');
  });

  it('is not counted as waiting any more', async () => {
    const solo = soloLanes();
    const blocking = held();
    const first = through(solo, 1, blocking.run);
    const leaving = new AbortController();
    const second = through(solo, 1, held().run, leaving.signal);
    await settled();
    expect([...solo.lanes.loads()]).toEqual([['a', { running: 1, waiting: 1 }]]);
    leaving.abort();
    await expect(second).rejects.toThrow();
    await settled();
    expect([...solo.lanes.loads()]).toEqual([['a', { running: 1, waiting: 0 }]]);
    blocking.resolve('');
    await first;
  });
});

describe('lanes', () => {
  it('are there only while somebody uses them', async () => {
    const solo = soloLanes();
    for (let index = 0; index < 100; index += 1) {
      await through(solo, 1, async () => '', NEVER, `model-${index}`);
      await through(solo, 1, () => Promise.reject(new Error('x')), NEVER, `model-${index}`).catch(() => undefined);
    }
    expect([...solo.lanes.loads()]).toEqual([]);
  });
});
