import { LRUCache } from 'lru-cache';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { type SubjectAnswer, type SubjectSource, subjectOf } from '../../rbac/task-subject.ts';
import type { Conductor, WorkflowOrigin } from '../conductor/conductor.ts';
import type { PolledTask } from '../conductor/polled-task.ts';
import type { TokenByRecords, TokenSource } from './token-source.ts';

/** Whom a task runs for, by the records of one moment: what Conductor knows of its workflow never changes. */
export type SubjectByRecords = (snapshot: Snapshot) => SubjectAnswer;

export interface SubjectFinder {
  /** Rejects when Conductor, or Redis about a token, has to be asked and does not answer. */
  of(task: PolledTask): Promise<SubjectByRecords>;
}

/** Workflows whose origin is remembered; it never changes. */
const REMEMBERED = 10_000;

export function createSubjectFinder({
  sources,
  tokens,
  conductor,
  authenticated,
}: {
  readonly sources: readonly SubjectSource[];
  readonly tokens: TokenSource;
  readonly conductor: Pick<Conductor, 'workflowOrigin'>;
  /** Whether we prove ourselves to Conductor. Where nobody does, `createdBy` proves nothing and is not asked for. */
  readonly authenticated: () => Promise<boolean>;
}): SubjectFinder {
  const asksConductor = sources.some((source) => source === 'creator' || source === 'owner');
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
    async of(task) {
      const token = sources.includes('token') ? await tokens.of(task) : undefined;
      if (!asksConductor || (token !== undefined && sources[0] === 'token')) return judgedBy(sources, task, token, {});
      const trusted = (await authenticated()) ? sources : sources.filter((source) => source !== 'creator');
      const asks = trusted.some((source) => source === 'creator' || source === 'owner');
      return judgedBy(trusted, task, token, asks ? await originOf(task.workflowInstanceId) : {});
    },
  };
}

function judgedBy(
  sources: readonly SubjectSource[],
  { workflowType }: PolledTask,
  token: TokenByRecords | undefined,
  origin: Partial<WorkflowOrigin>,
): SubjectByRecords {
  // An owner's address counts only where chosen: `sources` decides, not what Conductor happens to tell.
  return (snapshot) =>
    subjectOf(sources, { workflowType, token: token?.(snapshot), ...origin }, snapshot.applications());
}
