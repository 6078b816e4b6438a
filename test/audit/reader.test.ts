import { describe, expect, it } from 'vitest';
import { fits } from '../../src/audit/reader.ts';
import type { ChangeRecord } from '../../src/audit/records.ts';

const grant = (name: string): ChangeRecord => ({
  ...{ id: '1-0', at: '', change: 'c', via: 'apply', action: 'delete' },
  kind: 'grants',
  name,
});

describe('a change of a grant', () => {
  it('is found by either of its sides, whatever arrows they hold', () => {
    const record = grant('USER:a → b → PROMPT:p');
    expect(['USER:a → b', 'PROMPT:p', 'USER:a → b → PROMPT:p', 'USER:c'].map((name) => fits(record, { name }))).toEqual(
      [true, true, true, false],
    );
  });
});
