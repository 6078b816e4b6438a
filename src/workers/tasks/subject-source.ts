import { LRUCache } from 'lru-cache';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { type SubjectAnswer, type SubjectSource, subjectOf } from '../../rbac/task-subject.ts';
import type { Conductor, WorkflowOrigin } from '../conductor/conductor.ts';
import type { PolledTask } from '../conductor/polled-task.ts';

export interface SubjectFinder {
  /** For whom a task runs. Rejects when Conductor has to be asked and does not answer. */
  of(task: PolledTask, snapshot: () => Snapshot): Promise<SubjectAnswer>;
}

/** Workflows whose origin is remembered; it never changes. */
const REMEMBERED = 10_000;

export function createSubjectFinder({
  sources,
  conductor,
  authenticated,
}: {
  readonly sources: readonly SubjectSource[];
  readonly conductor: Pick<Conductor, 'workflowOrigin'>;
  /** Whether we prove ourselves to Conductor. Where nobody does, `createdBy` proves nothing and is not asked for. */
  readonly authenticated: boolean;
}): SubjectFinder {
  const trusted = sources.filter((source) => source !== 'creator' || authenticated);
  const asksConductor = trusted.some((source) => source === 'creator' || source === 'owner');
  const origins = new LRUCache<string, Promise<WorkflowOrigin>>({ max: REMEMBERED });

  function originOf(workflowId: string): Promise<WorkflowOrigin> {
    const known = origins.get(workflowId);
    if (known !== undefined) return known;
    const asked = conductor.workflowOrigin(workflowId);
    origins.set(workflowId, asked);
    asked.catch(() => origins.delete(workflowId));
    return asked;
  }

  return {
    async of(task, snapshot) {
      const token = task.input['accessToken'];
      const hasToken = token !== undefined && token !== null;
      const decidedByToken = hasToken && trusted[0] === 'token';
      const origin = asksConductor && !decidedByToken ? await originOf(task.workflowInstanceId) : undefined;
      return subjectOf(
        trusted,
        {
          workflowType: task.workflowType,
          hasToken,
          // An owner's address is asked for only where chosen: `sources` decides, not what Conductor happens to tell.
          createdBy: origin?.createdBy,
          ownerEmail: origin?.ownerEmail,
        },
        snapshot().applications(),
      );
    },
  };
}
