import { beforeEach, describe, expect, it } from 'vitest';
import type { Snapshot } from '../../../src/catalog/snapshot.ts';
import type { SubjectSource } from '../../../src/rbac/task-subject.ts';
import type { WorkflowOrigin } from '../../../src/workers/conductor/conductor.ts';
import type { PolledTask } from '../../../src/workers/conductor/polled-task.ts';
import { createSubjectFinder } from '../../../src/workers/tasks/subject-source.ts';
import { createTokenSource } from '../../../src/workers/tasks/token-source.ts';
import { polled } from '../support/harness.ts';
import { snapshotOf, soloPins, WORLD } from '../support/llm.ts';

let asked: string[] = [];
beforeEach(() => {
  asked = [];
});

function finder(sources: readonly SubjectSource[], origin: Partial<WorkflowOrigin> | Error, authenticated = true) {
  const { of } = createSubjectFinder({
    sources,
    tokens: createTokenSource({ catalog: world, pins: soloPins() }),
    authenticated: async () => authenticated,
    conductor: {
      async workflowOrigin(workflowId) {
        asked.push(workflowId);
        if (origin instanceof Error) throw origin;
        return { createdBy: origin.createdBy, ownerEmail: origin.ownerEmail };
      },
    },
  });
  return { of: async (task: PolledTask, world: () => Snapshot) => (await of(task))(world()) };
}

const snapshot = await snapshotOf(WORLD);
const world = () => snapshot;

describe('the subject of a task', () => {
  it('is the creator that Conductor names, asked once a workflow', async () => {
    const subjects = finder(['creator'], { createdBy: 'alice@example.com' });
    for (let n = 0; n < 3; n += 1) {
      expect(await subjects.of(polled(), world)).toMatchObject({
        subject: { type: 'USER', id: 'alice@example.com' },
        mayBeAdmin: true,
      });
    }
    await subjects.of(polled({ workflowInstanceId: 'another' }), world);
    expect(asked).toEqual(['workflow-of-task-1', 'another']);
  });

  it('asks once for tasks of one workflow that come together', async () => {
    const subjects = finder(['creator'], { createdBy: 'alice' });
    await Promise.all(Array.from({ length: 20 }, () => subjects.of(polled(), world)));
    expect(asked).toHaveLength(1);
  });

  it('is not the creator where nobody proves anything to Conductor', async () => {
    const subjects = finder(['creator', 'application'], { createdBy: 'alice' }, false);
    expect(await subjects.of(polled(), world)).toMatchObject({ subject: { id: 'app:claims' }, mayBeAdmin: false });
    expect(asked).toEqual([]);
  });

  it('is the application where there is no creator, and the creator where there is', async () => {
    expect(await finder(['creator', 'application'], {}).of(polled(), world)).toMatchObject({ source: 'application' });
    expect(await finder(['creator', 'application'], { createdBy: 'bob' }).of(polled(), world)).toMatchObject({
      source: 'creator',
    });
  });

  it('is the owner only where that was chosen', async () => {
    const origin = { ownerEmail: 'owner@example.com' };
    const task = polled({ workflowType: 'other' });
    expect(await finder(['creator', 'application'], origin).of(task, world)).toMatchObject({ kind: 'refused' });
    expect(await finder(['application', 'owner'], origin).of(task, world)).toMatchObject({
      subject: { id: 'owner@example.com' },
      mayBeAdmin: false,
    });
  });

  it('costs no question where only the application is asked', async () => {
    await finder(['token', 'application'], { createdBy: 'x' }).of(polled(), world);
    expect(asked).toEqual([]);
  });

  it.each([[''], [0], [false], [{}]])(
    'is refused for an accessToken of %j: one that is there is never passed over',
    async (accessToken) => {
      const answer = await finder(['token', 'application'], {}).of(polled({ inputData: { accessToken } }), world);
      expect(answer).toMatchObject({ kind: 'refused', code: 'TOKEN_INVALID' });
    },
  );

  it('passes over an accessToken of null', async () => {
    const answer = await finder(['token', 'application'], {}).of(polled({ inputData: { accessToken: null } }), world);
    expect(answer).toMatchObject({ source: 'application' });
  });

  it('rejects where Conductor does not answer, and asks again the next time', async () => {
    const subjects = finder(['creator'], new Error('away'));
    await expect(subjects.of(polled(), world)).rejects.toThrow('away');
    await expect(subjects.of(polled(), world)).rejects.toThrow('away');
    expect(asked).toHaveLength(2);
  });
});
