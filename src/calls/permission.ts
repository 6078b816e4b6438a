import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { didYouMean } from '../parsing.ts';
import { decide, type TaskTarget } from '../rbac/decision.ts';
import { denialError, inputNaming, targetInTask, targetName } from '../rbac/denial.ts';
import { subjectId } from '../rbac/subject.ts';
import type { SubjectAnswer } from '../rbac/task-subject.ts';
import type { DenialRecorder } from '../telemetry/denials.ts';

export type AccessMode = 'enforce' | 'audit' | 'off';

/** Where in Conductor a call comes from, for records of denials; all empty for a call that is no task's. */
export interface CallOrigin {
  readonly workflowId: string;
  readonly workflowType: string;
  readonly taskId: string;
}

/** What the subject of one call may do, asked as often as needed: at its start and again at its dispatch. */
export interface CallPermission {
  /** Throws PERMISSION_DENIED, SUBJECT_UNKNOWN, TOKEN_EXPIRED or TOKEN_INVALID, unless the mode lets it pass; a denial goes on record once. */
  require(snapshot: Snapshot, target: TaskTarget): void;
  /** ` Did you mean "x"?` from names that the subject may use itself, else ''. */
  hint(snapshot: Snapshot, target: TaskTarget): string;
}

export function createCallPermission(parts: {
  readonly origin: CallOrigin;
  readonly mode: AccessMode;
  /** Undefined where the mode is off: nobody is asked for. */
  readonly subject: SubjectAnswer | undefined;
  readonly denials: DenialRecorder;
  /** What is on record already, kept over all decisions about one call. Default: nothing. */
  readonly recorded?: Set<string>;
}): CallPermission {
  const { origin, mode, subject, denials, recorded = new Set<string>() } = parts;

  function refuse(target: TaskTarget, missing: string, error: ServiceError): void {
    if (mode === 'off') return;
    const what = targetName(target);
    if (!recorded.has(what)) {
      recorded.add(what);
      denials.record({
        subject: subject?.kind === 'known' ? subjectId(subject.subject) : '',
        source: subject?.kind === 'known' ? subject.source : '',
        target: what,
        missing,
        mode,
        ...origin,
      });
    }
    if (mode === 'enforce') throw error;
  }

  function mayUse(snapshot: Snapshot, target: TaskTarget): boolean {
    if (mode === 'off' || subject === undefined) return true;
    if (subject.kind === 'refused') return false;
    return decide(snapshot, subject.subject, target, { mayBeAdmin: subject.mayBeAdmin }).kind === 'allow';
  }

  return {
    require(snapshot, target) {
      if (mode === 'off' || subject === undefined) return;
      if (subject.kind === 'refused') {
        const { code = 'SUBJECT_UNKNOWN' } = subject;
        const field = code === 'SUBJECT_UNKNOWN' ? inputNaming(target) : 'accessToken';
        const error = new ServiceError(code, `Nobody may use ${targetInTask(target)}: ${subject.reason}`, {
          field,
        });
        return refuse(target, subject.reason, error);
      }
      const decision = decide(snapshot, subject.subject, target, { mayBeAdmin: subject.mayBeAdmin });
      if (decision.kind === 'deny')
        refuse(target, decision.missing, denialError(subject.subject, target, decision.missing));
    },
    hint(snapshot, target) {
      const known = siblings(snapshot, target).filter((sibling) => mayUse(snapshot, sibling));
      const wanted = target.kind === 'model' ? target.model : targetName(target);
      return didYouMean(
        wanted,
        known.map((sibling) => (sibling.kind === 'model' ? sibling.model : targetName(sibling))),
      );
    },
  };
}

/** What else there is of the same kind, at most a thousand: enough for a hint, bounded for a catalog of any size. */
function siblings(snapshot: Snapshot, target: TaskTarget): TaskTarget[] {
  switch (target.kind) {
    case 'integration':
      return take(snapshot.names('integrations')).map((integration) => ({
        kind: 'integration',
        integration,
        tags: [],
      }));
    case 'model': {
      const prefix = `${target.integration}:`;
      return take(snapshot.names('models'))
        .filter((name) => name.startsWith(prefix))
        .map((name) => ({
          kind: 'model',
          integration: target.integration,
          model: name.slice(prefix.length),
          tags: [],
        }));
    }
    case 'prompt':
      return take(snapshot.names('prompts')).map((prompt) => ({ kind: 'prompt', prompt }));
  }
}

function take(names: Iterable<string>): string[] {
  const taken: string[] = [];
  for (const name of names) {
    if (taken.length >= 1_000) break;
    taken.push(name);
  }
  return taken;
}
