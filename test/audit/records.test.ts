import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changeRecord, denialRecord, readChange, readDenial } from '../../src/audit/records.ts';

describe('an entry of a stream', () => {
  it('is read whatever stands there, and then has the form that is described', () => {
    const names = [...Object.keys(changeRecord.shape), ...Object.keys(denialRecord.shape), 'else'];
    const id = fc.tuple(fc.bigInt(0n, 2n ** 64n - 1n), fc.nat()).map(([ms, n]) => `${ms}-${n}`);
    const fields = fc.array(fc.oneof(fc.constantFrom(...names), fc.string(), fc.json()));
    fc.assert(
      fc.property(id, fields, (at, list) => {
        expect(changeRecord.safeParse(readChange([at, list])).error).toBeUndefined();
        expect(denialRecord.safeParse(readDenial([at, list])).error).toBeUndefined();
      }),
    );
  });

  it('of an earlier version counts as one denial', () => {
    expect(readDenial(['1764172800000-0', ['subject', 'USER:a', 'target', 'p']])).toMatchObject({
      at: '2025-11-26T16:00:00.000Z',
      count: 1,
      subject: 'USER:a',
    });
  });

  it('that is no record of ours says so', () => {
    expect(readChange(['1-0', ['action', 'forged']])).toMatchObject({ action: 'unknown', kind: '', via: '' });
  });
});
