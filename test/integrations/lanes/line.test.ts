import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BATCH_BYTES_AT_MOST,
  BATCH_TEXTS_AT_MOST,
  createLine,
  type InLine,
} from '../../../src/integrations/lanes/line.ts';

interface Waiting extends InLine {
  readonly name: string;
}

function waiting(name: string, order: number, more: Partial<InLine> = {}): Waiting {
  return { name, order, batch: undefined, shareAtMost: BATCH_TEXTS_AT_MOST, half: '', ...more };
}

const names = (entries: readonly Waiting[]) => entries.map(({ name }) => name);
const text = { key: 'k', bytes: 10 };

describe('a line', () => {
  it('lets those go first that were scheduled first, and equal ones as they came', () => {
    const line = createLine<Waiting>();
    for (const [name, order] of [
      ['late', 30],
      ['first', 10],
      ['second', 20],
      ['second too', 20],
    ] as const) {
      line.add(waiting(name, order));
    }
    const taken: string[] = [];
    while (line.length > 0) taken.push(...names(line.takeGroup()));
    expect(taken).toEqual(['first', 'second', 'second too', 'late']);
    expect(line.takeGroup()).toEqual([]);
  });

  it('takes what may share the turn from behind the first, over those that may not', () => {
    const line = createLine<Waiting>();
    line.add(waiting('a', 1, { batch: text }));
    line.add(waiting('alone', 2));
    line.add(waiting('b', 3, { batch: text }));
    line.add(waiting('other options', 4, { batch: { key: 'l', bytes: 10 } }));
    line.add(waiting('c', 5, { batch: text }));
    expect(names(line.takeGroup())).toEqual(['a', 'b', 'c']);
    expect(names(line.takeGroup())).toEqual(['alone']);
    expect(names(line.takeGroup())).toEqual(['other options']);
  });

  it('keeps the halves of a refused request apart, and smaller', () => {
    const line = createLine<Waiting>();
    for (const half of ['1a', '1b']) {
      for (let one = 0; one < 3; one += 1)
        line.add(waiting(`${half}${one}`, one, { batch: text, half, shareAtMost: 2 }));
    }
    expect(names(line.takeGroup())).toEqual(['1a0', '1a1']);
    expect(names(line.takeGroup())).toEqual(['1b0', '1b1']);
  });

  it('removes only what stands in it', () => {
    const line = createLine<Waiting>();
    const one = waiting('one', 1);
    line.add(one);
    expect([line.remove(one), line.remove(one), line.length]).toEqual([true, false, 0]);
  });

  it('gives every task exactly one turn, none too large, and counts turns as they will be', () => {
    const task = fc.record({
      order: fc.integer({ min: 0, max: 20 }),
      key: fc.constantFrom('k', 'l', undefined),
      bytes: fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: BATCH_BYTES_AT_MOST })),
      half: fc.constantFrom('', '1a', '1b'),
    });
    fc.assert(
      fc.property(fc.array(task, { maxLength: 40 }), (tasks) => {
        const line = createLine<Waiting>();
        const all = tasks.map(({ order, key, bytes, half }, index) =>
          waiting(`${index}`, order, { batch: key === undefined ? undefined : { key, bytes }, half }),
        );
        for (const one of all) line.add(one);
        const foreseen = new Map([...line.turnsAhead()].map(([{ name }, turns]) => [name, turns]));
        // What does not fit by its size is skipped over, which the count does not foresee exactly.
        const isLarge = tasks.reduce((sum, { bytes }) => sum + bytes, 0) > BATCH_BYTES_AT_MOST;
        const seen: string[] = [];
        let turn = 0;
        for (; line.length > 0; turn += 1) {
          const group = line.takeGroup();
          seen.push(...names(group));
          if (group.length > 1) {
            expect(new Set(group.map(({ batch, half }) => `${half}|${batch?.key}`)).size).toBe(1);
            const bytes = group.reduce((sum, { batch }) => sum + (batch?.bytes ?? 0), 0);
            expect(bytes).toBeLessThanOrEqual(BATCH_BYTES_AT_MOST);
          }
          if (!isLarge) expect(foreseen.get(group[0]?.name ?? '')).toBeLessThanOrEqual(turn);
        }
        expect([...seen].sort()).toEqual(names(all).sort());
      }),
    );
  });
});
