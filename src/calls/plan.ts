import type { Snapshot } from '../catalog/snapshot.ts';
import type { TaskType } from '../config.ts';
import type { ServiceError } from '../errors.ts';
import type { BedrockAnswer, BedrockCall, TokenCounts } from '../integrations/codec.ts';
import type { BatchTerms } from '../integrations/lanes/lane-use.ts';
import type { ResolvedModel } from '../integrations/resolve.ts';
import type { TaskInput } from './inputs/read-inputs.ts';
import type { CallPermission } from './permission.ts';

/** How the inputs of one task type become a call, and its answer an output. Both throw ServiceErrors. */
export interface CallKind {
  readonly type: TaskType;
  plan(view: {
    readonly input: TaskInput;
    readonly model: ResolvedModel;
    readonly snapshot: Snapshot;
    readonly permission: CallPermission;
  }): CallPlan;
}

export interface CallPlan {
  readonly call: BedrockCall;
  readonly notes: readonly string[];
  /** Tokens that the call may take, for limits of tokens. */
  readonly estimatedTokens: number;
  /** Present where the call may share its request with others. */
  readonly shared?: SharedPlan;
  /** Present where one request does not hold it all: what comes after this one. See `several-requests.ts`. */
  readonly further?: FurtherRequests;
  /** Present where answers that were kept of others may be given in place of a call. See `from-cache.ts`. */
  readonly cached?: CachedPlan;
  /** What may be kept of this request's own answer. Default: nothing. */
  readonly keeps?: (result: CallResult) => readonly Keepable[];
  /** A fault where the answer took tokens and is of no use. */
  finish(answer: BedrockAnswer): CallResult | CallFault;
}

/** A call as pieces that are answered each by itself: a completion is one, and so is each text of a list. */
export interface CachedPlan {
  readonly pieces: number;
  /** All that determines the answer to a piece, but for the records of its model: JSON, with bytes as Uint8Array. */
  determinants(piece: number): unknown;
  /** Whether it is of the form of an answer to a piece. */
  isValue(value: unknown): boolean;
  /** The call for some of the pieces, in their order: at least one, and not all. Absent where there is one only. */
  only?(pieces: readonly number[]): CallPlan;
  /** The output where each piece has its answer. */
  join(values: readonly unknown[]): CallResult['output'];
}

/** An answer to a piece, and all that determines it. */
export interface Keepable {
  readonly determinants: unknown;
  readonly value: unknown;
}

/** The other requests of a call, and how all results, the first one's too, become the call's. */
export interface FurtherRequests {
  /** The same where all that determines the answers is: those of different keys are never put together. */
  readonly key: string;
  readonly plans: readonly CallPlan[];
  join(results: readonly CallResult[]): CallResult;
}

/** One request for several callers whose `key` is the same. */
export interface SharedPlan extends BatchTerms {
  readonly text: string;
  join(texts: readonly string[]): BedrockCall;
  /** A result for each text, in their order; where the answer holds none for one of them, what is wrong with it. */
  split(answer: BedrockAnswer, texts: readonly string[]): readonly (CallResult | CallFault)[];
}

/** An answer that is of no use, or a text of a request that was answered for others. Its tokens were used all the same. */
export interface CallFault {
  readonly error: ServiceError;
  readonly tokens: TokenCounts;
}

export interface CallResult {
  readonly output: Readonly<Record<string, unknown>>;
  readonly tokens: TokenCounts;
  /** Every piece of it was kept of another call: none was made. */
  readonly fromCache?: true;
}

/** What a completion takes at most where neither task nor model says; a family's own maximum may be lower. */
export const DEFAULT_MAX_TOKENS = 1_024;

/** About four characters of text are a token (AWS: "Cohere … tokens"): good enough to admit by, corrected by the answer. */
const CHARACTERS_PER_TOKEN = 4;

export function estimateTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** A count that Bedrock did not give is left out, never 0; the sum stands only where at least one is known. */
export function tokenOutputs({ prompt, completion }: TokenCounts): Record<string, number> {
  return {
    ...(prompt === undefined && completion === undefined ? {} : { tokenUsed: (prompt ?? 0) + (completion ?? 0) }),
    ...(prompt === undefined ? {} : { promptTokens: prompt }),
    ...(completion === undefined ? {} : { completionTokens: completion }),
  };
}
