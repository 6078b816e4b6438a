import type { Application } from './records.ts';
import { applicationUser, type Subject, user } from './subject.ts';
import { matchesWorkflow } from './workflow-pattern.ts';

/** Where a task's subject can come from, in the order in which they are asked. */
export const SUBJECT_SOURCES = ['token', 'creator', 'application', 'owner'] as const;
export type SubjectSource = (typeof SUBJECT_SOURCES)[number];

/** What the token of a task says, once it was verified. It proves whom it names, so that their role ADMIN counts. */
export type TokenWord =
  | { readonly kind: 'known'; readonly subject: Subject }
  | { readonly kind: 'refused'; readonly code: 'TOKEN_EXPIRED' | 'TOKEN_INVALID'; readonly reason: string };

/** What is known of the workflow that a task belongs to. */
export interface TaskOrigin {
  /** The task's own workflow; a sub-workflow's task is judged by the sub-workflow's name. */
  readonly workflowType: string;
  /** Undefined where the task carries no `accessToken`. */
  readonly token?: TokenWord | undefined;
  /** Who started the workflow, as Conductor says: `alice@example.com` or `app:claims`. Absent where it does not say. */
  readonly createdBy?: string | undefined;
  /** The workflow definition's `ownerEmail`. */
  readonly ownerEmail?: string | undefined;
}

export type SubjectAnswer =
  | {
      readonly kind: 'known';
      readonly subject: Subject;
      /** `operator`: whoever runs a command says it. */
      readonly source: SubjectSource | 'operator';
      /** False for a subject that only a name or an e-mail address stands for: it is never ADMIN. */
      readonly mayBeAdmin: boolean;
    }
  /** Nobody, and why; ends the task. `code`: what is wrong with its token. */
  | { readonly kind: 'refused'; readonly reason: string; readonly code?: 'TOKEN_EXPIRED' | 'TOKEN_INVALID' };

/**
 * The subject of a task: the first source that answers. A source that is present but cannot be trusted refuses; only
 * an absent one falls through to the next.
 */
export function subjectOf(
  sources: readonly SubjectSource[],
  origin: TaskOrigin,
  applications: Iterable<readonly [string, Pick<Application, 'workflows'>]>,
): SubjectAnswer {
  for (const source of sources) {
    switch (source) {
      case 'token':
        if (origin.token?.kind === 'refused') return origin.token;
        if (origin.token !== undefined) {
          return { kind: 'known', subject: origin.token.subject, source, mayBeAdmin: true };
        }
        break;
      case 'creator':
        if (origin.createdBy !== undefined && origin.createdBy !== '') {
          return { kind: 'known', subject: user(origin.createdBy), source, mayBeAdmin: true };
        }
        break;
      case 'application': {
        const matching = [...applications]
          .filter(([, { workflows }]) => workflows.some((pattern) => matchesWorkflow(pattern, origin.workflowType)))
          .map(([id]) => id);
        const [only, ...others] = matching;
        if (others.length > 0) {
          const named = matching.sort().join(', ');
          return {
            kind: 'refused',
            reason: `the workflow ${origin.workflowType} belongs to several applications (${named}): let one pattern match`,
          };
        }
        if (only !== undefined) {
          return { kind: 'known', subject: applicationUser(only), source, mayBeAdmin: false };
        }
        break;
      }
      case 'owner':
        if (origin.ownerEmail?.startsWith('app:')) {
          return {
            kind: 'refused',
            reason: 'the ownerEmail of the workflow definition names an application, which it cannot prove',
          };
        }
        if (origin.ownerEmail !== undefined && origin.ownerEmail !== '') {
          return { kind: 'known', subject: user(origin.ownerEmail), source, mayBeAdmin: false };
        }
        break;
    }
  }
  return {
    kind: 'refused',
    reason:
      `nobody is known to run the workflow ${origin.workflowType} (asked: ${sources.join(', ')}): ` +
      (sources.includes('token') && !sources.includes('application')
        ? 'start it with a token for tasks as the input accessToken of its LLM tasks'
        : 'an administrator can name its pattern in the workflows of an application that holds the grant'),
  };
}
