import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPolledTask } from '../../../src/workers/conductor/polled-task.ts';

const LEAST = { taskId: 't', workflowInstanceId: 'w' };

describe('a polled task', () => {
  it('needs only its id and its workflow', () => {
    expect(readPolledTask(LEAST)).toEqual({
      taskId: 't',
      workflowInstanceId: 'w',
      workflowType: '',
      name: '',
      input: {},
      inputIsElsewhere: false,
      pollCount: 0,
      scheduledAt: expect.any(Number),
      retriedTaskId: undefined,
      hasDefinition: false,
      retryDelaySeconds: 60,
      pollTimeoutMs: 0,
      responseTimeoutMs: 0,
    });
  });

  it.each([[{ taskId: 't' }], [{ workflowInstanceId: 'w' }], [{ ...LEAST, taskId: '' }], [null], ['t'], [[]]])(
    'is not %j',
    (value) => {
      expect(readPolledTask(value)).toBeUndefined();
    },
  );

  it('is whatever else there is beside: unknown keys and nulls do no harm', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((key) => !/Type|Data|Path|Count|Definition|Task/.test(key)),
          fc.jsonValue(),
        ),
        (more) => {
          expect(
            readPolledTask({ ...more, ...LEAST, inputData: null, workflowTask: null, taskDefinition: null })?.taskId,
          ).toBe('t');
        },
      ),
    );
  });

  it('takes its response timeout from the embedded definition, never from its own field', () => {
    const own = { ...LEAST, responseTimeoutSeconds: 99 };
    expect(readPolledTask(own)?.responseTimeoutMs).toBe(0);
    expect(readPolledTask({ ...own, taskDefinition: { responseTimeoutSeconds: 3 } })?.responseTimeoutMs).toBe(3_000);
    const inner = { name: 'n', taskDefinition: { responseTimeoutSeconds: 4 } };
    expect(readPolledTask({ ...own, workflowTask: inner })?.responseTimeoutMs).toBe(4_000);
    expect(
      readPolledTask({ ...own, workflowTask: inner, taskDefinition: { responseTimeoutSeconds: 3 } })?.responseTimeoutMs,
    ).toBe(3_000);
  });

  it('has what is left of its definition’s time, by a clock that may differ', () => {
    const left = (fields: object) => readPolledTask({ ...LEAST, ...fields })?.remainingMs;
    const taskDefinition = { timeoutSeconds: 60 };
    expect(left({})).toBeUndefined();
    expect(left({ taskDefinition })).toBe(60_000);
    expect(left({ taskDefinition, startTime: Date.now() + 3_600_000 })).toBe(60_000);
    expect(left({ taskDefinition, startTime: Date.now() - 20_000 })).toBeCloseTo(40_000, -3);
    expect(left({ taskDefinition, startTime: Date.now() - 3_600_000 })).toBe(0);
    expect(left({ taskDefinition: { timeoutSeconds: 0 } })).toBeUndefined();
    expect(left({ taskDefinition: { timeoutSeconds: 60, timeoutPolicy: 'ALERT_ONLY' } })).toBeUndefined();
    expect(left({ workflowTask: { name: 'n', taskDefinition } })).toBe(60_000);
  });

  it('has no more than what is left of the total time, from its scheduling', () => {
    const left = (definition: object, fields: object = {}) =>
      readPolledTask({ ...LEAST, ...fields, taskDefinition: definition })?.remainingMs;
    const scheduled = { scheduledTime: Date.now() - 20_000, startTime: Date.now() };
    expect(left({ totalTimeoutSeconds: 60 })).toBe(60_000);
    expect(left({ totalTimeoutSeconds: 60 }, scheduled)).toBeCloseTo(40_000, -3);
    expect(left({ totalTimeoutSeconds: 60, timeoutSeconds: 30 }, scheduled)).toBeCloseTo(30_000, -3);
    expect(left({ totalTimeoutSeconds: 60, timeoutSeconds: 50 }, scheduled)).toBeCloseTo(40_000, -3);
    expect(left({ totalTimeoutSeconds: 60, timeoutSeconds: 0 }, scheduled)).toBeCloseTo(40_000, -3);
    expect(left({ totalTimeoutSeconds: 60, timeoutPolicy: 'ALERT_ONLY' }, scheduled)).toBeUndefined();
    expect(left({ totalTimeoutSeconds: 0 }, scheduled)).toBeUndefined();
  });

  it('is named as its definition is', () => {
    expect(readPolledTask({ ...LEAST, taskType: 'T', workflowTask: { name: 'n' }, taskDefName: 'd' })?.name).toBe('d');
    expect(readPolledTask({ ...LEAST, taskType: 'T', workflowTask: { name: 'n' } })?.name).toBe('n');
    expect(readPolledTask({ ...LEAST, taskType: 'T' })?.name).toBe('T');
  });

  it('says where its input is in external storage', () => {
    expect(readPolledTask({ ...LEAST, externalInputPayloadStoragePath: 'p' })?.inputIsElsewhere).toBe(true);
    expect(readPolledTask({ ...LEAST, externalInputPayloadStoragePath: null })?.inputIsElsewhere).toBe(false);
  });
});
