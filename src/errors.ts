/**
 * One base for everything this service can say no with: a code for programs, a message for people, whether trying
 * again may help. It becomes a Conductor status in `workers/conductor/outcome.ts` and an exit code in `cli.ts`, nowhere else.
 */

/** Every code, with what it means; `docs/errors.md` holds the same table and a test keeps the two equal. */
export const ERROR_CODES = {
  INPUT_INVALID: { retryable: false, meaning: 'A task input is missing, of the wrong form or out of range.' },
  SUBJECT_UNKNOWN: { retryable: false, meaning: 'Nobody could be named as the one this task runs for.' },
  TOKEN_EXPIRED: { retryable: false, meaning: 'The time of the token in `accessToken` is over.' },
  TOKEN_INVALID: {
    retryable: false,
    meaning: 'The token in `accessToken` proves nothing, or is not for this task.',
  },
  PERMISSION_DENIED: {
    retryable: false,
    meaning: 'The subject holds no grant for what the task names, or what it names does not exist.',
  },
  INTEGRATION_UNKNOWN: { retryable: false, meaning: 'No integration of that name.' },
  INTEGRATION_DISABLED: { retryable: false, meaning: 'The integration is switched off.' },
  MODEL_UNKNOWN: { retryable: false, meaning: 'The integration has no model of that name.' },
  MODEL_DISABLED: { retryable: false, meaning: 'The model is switched off.' },
  MODEL_UNFIT: { retryable: false, meaning: 'The model cannot do this kind of task.' },
  PROMPT_UNKNOWN: { retryable: false, meaning: 'No prompt of that name or version.' },
  PROMPT_NOT_ASSOCIATED: { retryable: false, meaning: 'The prompt is not associated with this model.' },
  PROMPT_REQUIRED: { retryable: false, meaning: 'The model takes only named prompts (`rawPrompts: false`).' },
  PROMPT_VARIABLES_MISSING: { retryable: false, meaning: 'The prompt has variables that the task does not give.' },
  RECORD_INVALID: { retryable: false, meaning: 'A record in Redis that this task needs cannot be read.' },
  SECRET_UNAVAILABLE: { retryable: false, meaning: 'A secret of the integration cannot be opened.' },
  CREDENTIALS_FAILED: {
    retryable: false,
    meaning: 'AWS refused the credentials of the integration, or there are none.',
  },
  MODEL_NOT_FOUND: { retryable: false, meaning: 'Bedrock does not know the model, or its life has ended.' },
  REQUEST_REFUSED: { retryable: false, meaning: 'Bedrock refused the request as invalid.' },
  TOKEN_LIMIT_REACHED: {
    retryable: false,
    meaning: 'A token limit that concerns the call is used up for the day, the week or the month.',
  },
  THROTTLED: { retryable: true, meaning: 'Bedrock throttled the call or a quota is used up.' },
  BEDROCK_UNAVAILABLE: {
    retryable: true,
    meaning: 'Bedrock or STS did not answer, or answered with a fault of its own.',
  },
  MODEL_TIMEOUT: { retryable: true, meaning: 'The model took longer than allowed.' },
  MODEL_FAILED: { retryable: true, meaning: 'The model ended with an error of its own.' },
  ANSWER_INVALID: { retryable: true, meaning: 'The answer of the model is not of the form its family documents.' },
  OUTPUT_NOT_JSON: { retryable: true, meaning: '`jsonOutput` was asked for and the model did not answer with JSON.' },
  RESULT_REFUSED: { retryable: false, meaning: 'Conductor does not take the result, for example because of its size.' },
  TASK_TIMED_OUT: {
    retryable: true,
    meaning: 'The `timeoutSeconds` or `totalTimeoutSeconds` of the task definition have passed.',
  },
  INTERNAL: { retryable: true, meaning: 'A fault of this service: please report it.' },
  CONFIG_INVALID: { retryable: false, meaning: 'Environment variables are missing or of the wrong form.' },
  MANIFEST_INVALID: { retryable: false, meaning: 'A manifest cannot be read or says something that is not allowed.' },
  CATALOG_CHANGED: { retryable: true, meaning: 'Somebody else changed Redis while a command was about to.' },
  ALREADY_BOOTSTRAPPED: { retryable: false, meaning: "The first administrator's key has been made before." },
  REQUEST_INVALID: { retryable: false, meaning: 'A request to the API is not of the form that it takes.' },
  PRECONDITION_FAILED: { retryable: false, meaning: 'The record has changed since the version that a request names.' },
  NOT_FOUND: { retryable: false, meaning: 'There is no such record.' },
  ACCESS_KEY_INVALID: {
    retryable: false,
    meaning: 'The access key is unknown, switched off, or its secret is another.',
  },
  LAST_ADMIN: { retryable: false, meaning: 'A change would leave nobody who gets in with the role ADMIN.' },
  TOO_MANY_REQUESTS: { retryable: true, meaning: 'Too many attempts to prove an access key, or too many that failed.' },
  MODEL_BUSY: { retryable: true, meaning: 'The limits of a model left no place for a call for too long.' },
  USAGE: { retryable: false, meaning: 'A command was called in a way it does not know.' },
  UNREACHABLE: { retryable: true, meaning: 'Redis, Conductor or AWS could not be reached by a command.' },
} as const satisfies Record<string, { retryable: boolean; meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ServiceErrorOptions {
  /** Where the fault lies, as the one who wrote it would name it: `temperature`, `promptVariables.text`, `configuration.region`. */
  readonly field?: string | undefined;
  /** When it is worth trying again, in whole seconds, where that is known. */
  readonly retryAfterSeconds?: number | undefined;
  /** For the task's log in Conductor alone, never for the worker's: what a model wrote, for example. */
  readonly notes?: readonly string[] | undefined;
  /** Every fault of manifests, for programs. */
  readonly faults?: readonly PlacedFault[] | undefined;
  readonly cause?: unknown;
}

/** Lines and columns from 1. */
export interface PlacedFault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  /** Whether the same request may succeed later. Decides between FAILED and FAILED_WITH_TERMINAL_ERROR. */
  readonly retryable: boolean;
  readonly field: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  // Private: a library's log would write it.
  readonly #faults: readonly PlacedFault[];
  // Private, so that no logger that writes an error's properties finds them.
  readonly #notes: readonly string[];

  constructor(code: ErrorCode, message: string, options: ServiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = ERROR_CODES[code].retryable;
    this.field = options.field;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.#notes = options.notes ?? [];
    this.#faults = options.faults ?? [];
  }

  /** See `ServiceErrorOptions`. */
  get faults(): readonly PlacedFault[] {
    return this.#faults;
  }

  /** See `ServiceErrorOptions`. */
  get notes(): readonly string[] {
    return this.#notes;
  }
}

/** An error for programs: what a failed task has as `outputData.error`. */
export function errorData({ code, message, field, retryable }: ServiceError): Readonly<Record<string, unknown>> {
  return { code, message, ...(field === undefined ? {} : { field }), retryable };
}

/** The message of anything thrown, for logs. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Anything thrown, as an error of ours; what nobody foresaw is INTERNAL and says so. */
export function failureOf(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  return new ServiceError('INTERNAL', 'the worker met a fault of its own; its log has the details', { cause: thrown });
}
