import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode, messageOf, ServiceError } from '../src/errors.ts';

/** The codes after which the same task may succeed later. All others end it for good. */
const RETRYABLE: readonly ErrorCode[] = [
  'THROTTLED',
  'BEDROCK_UNAVAILABLE',
  'MODEL_TIMEOUT',
  'MODEL_FAILED',
  'ANSWER_INVALID',
  'OUTPUT_NOT_JSON',
  'INTERNAL',
];

describe('an error', () => {
  it.each(RETRYABLE)('%s may be tried again', (code) => {
    expect(new ServiceError(code, 'x').retryable).toBe(true);
  });

  it.each([
    'INPUT_INVALID',
    'SUBJECT_UNKNOWN',
    'PERMISSION_DENIED',
    'RECORD_INVALID',
    'SECRET_UNAVAILABLE',
    'CREDENTIALS_FAILED',
    'MODEL_NOT_FOUND',
    'REQUEST_REFUSED',
    'CONFIG_INVALID',
  ] as const)('%s ends the task for good', (code) => {
    expect(new ServiceError(code, 'x').retryable).toBe(false);
  });

  it('keeps its place and its cause, where there are any', () => {
    const cause = new Error('below');
    const error = new ServiceError('INPUT_INVALID', 'above', { field: 'temperature', cause });
    expect(error).toMatchObject({ name: 'ServiceError', message: 'above', field: 'temperature', cause });
    expect(error).toBeInstanceOf(Error);
    const bare = new ServiceError('INTERNAL', 'x');
    expect(bare.field).toBeUndefined();
    expect('cause' in bare).toBe(false);
  });
});

describe('the table of codes', () => {
  it.each(Object.entries(ERROR_CODES))('says in a sentence what %s means', (code, { meaning }) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(meaning).toMatch(/^[A-Z`].*\.$/);
  });

  it('is the one in docs/errors.md, code by code', () => {
    const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
    const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)` \| (yes|no) \| (.+?) \| (.+?) \|$/gm));
    expect(rows.map(([, code, retryable, meaning]) => [code, retryable === 'yes', meaning])).toEqual(
      Object.entries(ERROR_CODES).map(([code, { retryable, meaning }]) => [code, retryable, meaning]),
    );
  });
});

describe('the message of anything thrown', () => {
  it.each([
    [new Error('said'), 'said'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [{ toString: (): string => 'made' }, 'made'],
  ])('of %j is %j', (thrown, message) => {
    expect(messageOf(thrown)).toBe(message);
  });
});
