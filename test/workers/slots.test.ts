import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSlots } from '../../src/workers/slots.ts';

const never = new AbortController().signal;

describe('slots', () => {
  it('give what is asked for, and no more than is free', async () => {
    const slots = createSlots(5);
    expect(await slots.reserve(3, never)).toBe(3);
    expect(await slots.reserve(9, never)).toBe(2);
    expect(slots.used).toBe(5);
    slots.release(4);
    expect(slots.used).toBe(1);
  });

  it('give none where none is wanted after all, once there are some', async () => {
    const slots = createSlots(2);
    expect(await slots.reserve((free) => free - 2, never)).toBe(0);
    expect(await slots.reserve((free) => free - 3, never)).toBe(0);
    expect(slots.used).toBe(0);
  });

  it('let one wait while none is free, in turn', async () => {
    const slots = createSlots(1);
    await slots.reserve(1, never);
    const order: string[] = [];
    const waiters = ['a', 'b', 'c'].map(async (name) => {
      await slots.reserve(5, never);
      order.push(name);
      await sleep(1);
      slots.release(1);
    });
    await sleep(5);
    expect(order).toEqual([]);
    slots.release(1);
    await Promise.all(waiters);
    expect(order).toEqual(['a', 'b', 'c']);
    expect(slots.used).toBe(0);
  });

  it('give nothing to one whose signal is aborted, while it waits or before', async () => {
    const slots = createSlots(1);
    await slots.reserve(1, never);
    const abort = new AbortController();
    const waiting = slots.reserve(1, abort.signal);
    abort.abort();
    expect(await waiting).toBe(0);
    slots.release(1);
    expect(await slots.reserve(1, abort.signal)).toBe(0);
    expect(slots.used).toBe(0);
  });

  it('never are more in use than there are, and never fewer than none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
        async (size, wishes) => {
          const slots = createSlots(size);
          await Promise.all(
            wishes.map(async (wanted) => {
              const taken = await slots.reserve(wanted, never);
              expect(taken).toBeGreaterThanOrEqual(1);
              expect(taken).toBeLessThanOrEqual(Math.min(wanted, size));
              expect(slots.used).toBeLessThanOrEqual(size);
              await Promise.resolve();
              slots.release(taken);
            }),
          );
          expect(slots.used).toBe(0);
        },
      ),
    );
  });

  it('stay sound where an answer brought more tasks than were asked for', async () => {
    const slots = createSlots(2);
    const asked = await slots.reserve(2, never);
    // Three came for two: the loop then releases 2 - 3.
    slots.release(asked - 3);
    expect(slots.used).toBe(3);
    const next = slots.reserve(2, never);
    await expect(Promise.race([next, sleep(20).then(() => 'waits')])).resolves.toBe('waits');
    slots.release(3);
    expect(await next).toBe(2);
  });
});
