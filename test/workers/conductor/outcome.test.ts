import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode, failureOf, ServiceError } from '../../../src/errors.ts';
import { reasonOf, toTaskResult } from '../../../src/workers/conductor/outcome.ts';

const TASK = { taskId: 't', workflowInstanceId: 'w' };

describe('a give-back', () => {
  it('stays away a whole second at least, whatever was asked for', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          fc.double({ min: -2, max: 3, noNaN: true }),
        ),
        (afterSeconds) => {
          const result = toTaskResult(TASK, 'w/1', { kind: 'give-back', afterSeconds });
          expect(result.status).toBe('IN_PROGRESS');
          // Conductor takes a Java long: what is asked for beyond a day may be cut.
          expect(result.callbackAfterSeconds).toBeGreaterThanOrEqual(Math.max(1, Math.min(afterSeconds, 86_400)));
          expect(Number.isInteger(result.callbackAfterSeconds)).toBe(true);
          expect(result.extendLease).toBeUndefined();
        },
      ),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('of %f seconds still says a number to Conductor', (afterSeconds) => {
    const sent = JSON.parse(JSON.stringify(toTaskResult(TASK, 'w/1', { kind: 'give-back', afterSeconds })));
    expect(sent.callbackAfterSeconds).toBeGreaterThanOrEqual(1);
  });
});

describe('a failure', () => {
  it.each(Object.keys(ERROR_CODES) as ErrorCode[])(
    '%s is retried by Conductor exactly where it is retryable',
    (code) => {
      const error = new ServiceError(code, 'why', { field: 'model' });
      const result = toTaskResult(TASK, 'w/1', { kind: 'fail', error });
      expect(result).toEqual({
        ...TASK,
        workerId: 'w/1',
        status: ERROR_CODES[code].retryable ? 'FAILED' : 'FAILED_WITH_TERMINAL_ERROR',
        reasonForIncompletion: 'why',
        outputData: { error: { code, message: 'why', field: 'model', retryable: ERROR_CODES[code].retryable } },
      });
    },
  );

  it('has no field where there is none', () => {
    const error = new ServiceError('INTERNAL', 'why');
    expect(toTaskResult(TASK, 'w/1', { kind: 'fail', error }).outputData?.['error']).not.toHaveProperty('field');
  });

  it('keeps a long message whole in the output, and within 500 characters in the reason', () => {
    const error = new ServiceError('INPUT_INVALID', 'x'.repeat(2_000));
    const result = toTaskResult(TASK, 'w/1', { kind: 'fail', error });
    expect(result.reasonForIncompletion).toHaveLength(500);
    expect(result.outputData).toMatchObject({ error: { message: 'x'.repeat(2_000) } });
    expect(reasonOf('x'.repeat(500))).toBe('x'.repeat(500));
  });

  it('that nobody foresaw is INTERNAL and tells nothing of itself', () => {
    for (const thrown of [new TypeError('SEKRET'), 'SEKRET', undefined, null, { SEKRET: 1 }]) {
      const error = failureOf(thrown);
      expect(error.code).toBe('INTERNAL');
      expect(error.message).not.toContain('SEKRET');
    }
    const own = new ServiceError('THROTTLED', 'busy');
    expect(failureOf(own)).toBe(own);
  });
});

describe('a completion', () => {
  it('carries the output, the identity, and notes as logs of the task', () => {
    const result = toTaskResult(TASK, 'w/1', { kind: 'complete', output: { result: 'x' }, notes: ['one', 'two'] });
    expect(result).toMatchObject({ ...TASK, workerId: 'w/1', status: 'COMPLETED', outputData: { result: 'x' } });
    expect(result.logs?.map(({ log, taskId }) => [log, taskId])).toEqual([
      ['one', 't'],
      ['two', 't'],
    ]);
    expect(toTaskResult(TASK, 'w/1', { kind: 'complete', output: {} })).not.toHaveProperty('logs');
  });
});
