import type { TaskResult } from '@io-orkes/conductor-javascript';
import type { Ticket } from '../../integrations/lanes/lane-cluster.ts';

/** What names one poll of one task. */
export interface ClaimOfTask {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly pollCount: number;
}

/** An answer of a model that Conductor has not confirmed, kept beyond the life of this process. */
export interface KeptAnswer {
  /** SHA-256 of the task's input, without its access token: another input is another question. */
  readonly inputHash: string;
  readonly result: Pick<TaskResult, 'status' | 'outputData' | 'reasonForIncompletion'>;
}

export type ClaimAnswer =
  /** Ours: to be run. `ticket`: its place in a lane, where it waited before. */
  | { readonly kind: 'ours'; readonly ticket: Ticket | undefined }
  /** A later poll has it, or the same poll of another incarnation. */
  | { readonly kind: 'taken' };

/** A poll of a task that this worker answers for. */
export interface HeldTask extends ClaimOfTask {
  /** The incarnation whose poll it was, as Conductor has it in `workerId`: another one where it was taken over. */
  readonly polledBy: string;
}

/**
 * What this worker holds, on record in Redis (`src/cluster/ledger-store.ts`), so that others take over when it dies.
 * An `incarnation` given to a call is the one under which the task was polled: one that was declared dead holds nothing.
 */
export interface Ledger {
  /** `WORKER_ID/random`: goes into every poll. A new one after this worker was declared dead (it was stopped for long). */
  readonly incarnation: string;
  /** False while Redis is away or this incarnation has not been heard for 8 s: no polls, no new calls. */
  readonly alive: boolean;
  /**
   * One script for a whole poll; in the order of the tasks. Rejects when Redis does not answer, or when the incarnation
   * was declared dead: no call then, give back and `release`. Until then the task counts as held and is claimed as soon as
   * Redis answers, so that it is not lost with this worker.
   */
  claim(incarnation: string, tasks: readonly ClaimOfTask[]): Promise<readonly ClaimAnswer[]>;
  /** For a task that Conductor says is ours although the ledger says otherwise (a rerun): the claim is written whatever stands there. */
  claimByForce(incarnation: string, task: ClaimOfTask): Promise<void>;
  /** Whether the claim is still ours: FAILED, give-back and heartbeat need it. Rejects when Redis does not answer. */
  stillOurs(incarnation: string, task: ClaimOfTask): Promise<boolean>;
  /** Conductor confirmed the outcome: off the ledger, in the background, with the next script. */
  release(incarnation: string, task: ClaimOfTask): void;
  /** Keeps an answer until Conductor has it. Rejects when Redis does not take it: memory is then the only copy. */
  keepAnswer(taskId: string, answer: KeptAnswer): Promise<void>;
  /** Conductor has the answer (0), or the task was over: then it is kept for `forSeconds`, for a retry under a new id. */
  answerDelivered(taskId: string, forSeconds: number): void;
  answerOf(taskId: string): Promise<KeptAnswer | undefined>;
}

/** An incarnation that may have polled tasks which no ledger names. */
export interface Suspect {
  readonly incarnation: string;
  /** When it was first suspected, in ms of Redis' clock; polls that fail one after the other leave that as it is. */
  readonly since: number;
  /** When it was last suspected. */
  readonly latest: number;
  /** Whether it is still a member: what it polled may yet be claimed. */
  readonly living: boolean;
}

/** Incarnations that died or had a poll of unknown fate, and which replica looks for what they lost. */
export interface Suspects {
  readonly incarnation: string;
  readonly alive: boolean;
  /** A poll under this incarnation was perhaps answered, but not to us. */
  suspect(incarnation: string): Promise<void>;
  /** `now` in ms of Redis' clock. */
  suspects(): Promise<{ readonly now: number; readonly found: readonly Suspect[] }>;
  /** Nothing more of it is lost, unless it was suspected again meanwhile. */
  acquit(suspect: Suspect): Promise<void>;
  /** Whether this worker is the one that looks, for the next 30 s. */
  elect(): Promise<boolean>;
  /** Which of these polls nobody has claimed, nor a later one. */
  unclaimed(tasks: readonly HeldTask[]): Promise<readonly HeldTask[]>;
  /** Claims polls of others for this worker, as a take-over would; answers with those that are ours now. */
  adopt(tasks: readonly HeldTask[]): Promise<readonly HeldTask[]>;
}
