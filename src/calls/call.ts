import type { Snapshot } from '../catalog/snapshot.ts';
import type { LaneTask } from '../integrations/lanes/lane-use.ts';
import type { Lanes } from '../integrations/lanes/lanes.ts';
import { laneOf } from '../integrations/resolve.ts';
import { accountsOf } from '../limits/accounts.ts';
import { subjectId } from '../rbac/subject.ts';
import type { SubjectAnswer } from '../rbac/task-subject.ts';
import type { DenialRecorder } from '../telemetry/denials.ts';
import { BelongsElsewhere, type CallAttempt, type DispatchParts, dispatch, type Prepared } from './attempt.ts';
import { blameDefaults, modelDefaults } from './inputs/defaults.ts';
import type { TaskInput } from './inputs/read-inputs.ts';
import { tellUnread } from './inputs/unread-inputs.ts';
import { findModel } from './model-lookup.ts';
import { type AccessMode, type CallOrigin, createCallPermission } from './permission.ts';
import type { CallKind, CallResult } from './plan.ts';
import { Undecided } from './undecided.ts';
import { demandWithinLimits } from './within-limits.ts';

/** What goes into one call of a model, whoever makes it: a task of Conductor's, or somebody outside of Conductor. */
export interface ModelCall {
  readonly kind: CallKind;
  readonly input: TaskInput;
  /** The integration and model that the input names: see `readNames`. */
  readonly names: { readonly integration: string; readonly model: string };
  /** Whom it runs for by the records of one moment. Where the mode is off, its rights are not asked; its limits hold. */
  readonly subject: (snapshot: Snapshot) => SubjectAnswer;
  readonly origin: CallOrigin;
  /** Aborted when it need not be made any more: what is not sent by then is not sent. */
  readonly waiting: AbortSignal;
  /** Aborted when nobody waits for its answer: a running call is broken off. */
  readonly running: AbortSignal;
}

export interface CallParts extends DispatchParts {
  readonly mode: AccessMode;
  readonly denials: DenialRecorder;
  readonly lanes: Pick<Lanes, 'through'>;
}

/**
 * Input → decision → integration, model, prompt → plan, by the records of now; what comes back can do so again. Throws the
 * ServiceError that refuses the call, and Undecided while nothing may be decided.
 */
export function prepareCall(call: ModelCall, parts: CallParts): CallAttempt {
  const { kind, input, names, origin, waiting, running } = call;
  const recorded = new Set<string>();

  function prepare(): Prepared {
    if (!parts.mayDecide()) throw new Undecided();
    const snapshot = parts.catalog();
    const subject = call.subject(snapshot);
    const { mode, denials } = parts;
    const asked = mode === 'off' ? undefined : subject;
    const permission = createCallPermission({ origin, mode, subject: asked, denials, recorded });
    const model = findModel(snapshot, permission, names);
    const lane = laneOf(names.integration, names.model, model.record);
    const runsFor = subject.kind === 'known' ? subject.subject : undefined;
    const accounts = accountsOf(snapshot, { integration: names.integration, lane, subject: runsFor });
    try {
      const plan = kind.plan({ input, model, snapshot, permission });
      return {
        ...{ snapshot, model, lane, plan, accounts, limits: parts.limits.on(snapshot, accounts) },
        subject: runsFor === undefined ? '' : subjectId(runsFor),
      };
    } catch (error) {
      throw tellUnread(blameDefaults(error, input, [modelDefaults(model)]), kind.type, input);
    }
  }

  return { prepared: prepare(), prepare, waiting, running };
}

/** How a lane is to treat a call that waits for its turn. */
export interface TurnTerms {
  readonly task: LaneTask;
  /** How long throttling may put it off, in milliseconds; default: what the model's record says. */
  readonly deferAtMostMs?: number;
  /** Runs one turn; default: as it is. Here a caller can tell time in line from time in a turn. */
  readonly around?: <T>(turn: () => Promise<T>) => Promise<T>;
}

/**
 * Takes a call through the lane of its model. What was decided is decided again after it wherever the records have changed
 * meanwhile. Rejects with the ServiceError that ends the call, with `Deferred`, or with the reason of an aborted signal.
 */
export async function takeTurn(
  attempt: CallAttempt,
  { task, deferAtMostMs, around = (turn) => turn() }: TurnTerms,
  parts: CallParts,
): Promise<CallResult> {
  for (;;) {
    const { lane, model, plan, limits } = attempt.prepared;
    demandWithinLimits(limits, model, parts);
    try {
      return await parts.lanes.through<CallAttempt, CallResult>({
        lane,
        task,
        work: attempt,
        batch: plan.shared,
        estimatedTokens: plan.estimatedTokens,
        deferAtMostMs: deferAtMostMs ?? model.record.configuration.maxDeferralSeconds * 1_000,
        waiting: attempt.waiting,
        start: (attempts, turn) => around(() => dispatch(attempts, turn, parts)),
      });
    } catch (error) {
      if (!(error instanceof BelongsElsewhere)) throw error;
    }
  }
}
