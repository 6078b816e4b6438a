import { hostname } from 'node:os';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type ErrorCode, failureOf, ServiceError } from '../../errors.ts';

/** What every error of the API looks like: Orkes' ErrorResponse. */
export const problem = z.object({
  status: z.number().int(),
  message: z.string(),
  /** Which server answered. */
  instance: z.string(),
  /** Whether the same request may succeed later. */
  retryable: z.boolean(),
  /**
   * Only with a token that is refused: Orkes' SDKs fetch a new one on these and on nothing else. Where getting one is what
   * failed they would do so for ever, or wait for themselves, so a refused access key has none.
   */
  error: z.enum(['EXPIRED_TOKEN', 'INVALID_TOKEN']).optional(),
  /** Only with a manifest that is refused: each fault, and the record that it is in. */
  faults: z.array(z.object({ record: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof problem>;

/** The one place where an error becomes an HTTP status; what is not named is a fault of this service. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: 400,
  INPUT_INVALID: 400,
  MODEL_UNFIT: 400,
  PROMPT_REQUIRED: 400,
  PROMPT_UNKNOWN: 400,
  PROMPT_NOT_ASSOCIATED: 400,
  PROMPT_VARIABLES_MISSING: 400,
  REQUEST_REFUSED: 400,
  TOKEN_EXPIRED: 401,
  TOKEN_INVALID: 401,
  ACCESS_KEY_INVALID: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  INTEGRATION_UNKNOWN: 404,
  MODEL_UNKNOWN: 404,
  CATALOG_CHANGED: 409,
  RECORD_INVALID: 409,
  INTEGRATION_DISABLED: 409,
  MODEL_DISABLED: 409,
  SECRET_UNAVAILABLE: 409,
  LAST_ADMIN: 409,
  PRECONDITION_FAILED: 412,
  TOO_MANY_REQUESTS: 429,
  MODEL_BUSY: 429,
  TOKEN_LIMIT_REACHED: 429,
  THROTTLED: 429,
  // As Bedrock itself answers for a model that failed: what this depends on did, not this.
  CREDENTIALS_FAILED: 424,
  MODEL_NOT_FOUND: 424,
  BEDROCK_UNAVAILABLE: 424,
  MODEL_FAILED: 424,
  ANSWER_INVALID: 424,
  OUTPUT_NOT_JSON: 424,
  UNREACHABLE: 503,
  MODEL_TIMEOUT: 424,
};

/** Faults of the request that the framework finds, in its own words, which repeat nothing of the request. */
const FRAMEWORK_STATUSES: ReadonlySet<number> = new Set([400, 404, 405, 408, 413, 414, 415, 431]);

const INSTANCE = hostname();

export function statusOf(code: ErrorCode): number {
  return STATUSES[code] ?? 500;
}

export function asProblem(error: unknown): Problem {
  const status = (error as FastifyError).statusCode;
  if (!(error instanceof ServiceError) && status !== undefined && FRAMEWORK_STATUSES.has(status)) {
    return { status, message: (error as Error).message, instance: INSTANCE, retryable: false };
  }
  const failure = failureOf(error);
  const known = statusOf(failure.code);
  return {
    status: known,
    message: known === 500 ? 'A fault of this service: its log has the details' : failure.message,
    instance: INSTANCE,
    retryable: failure.retryable,
    ...(failure.code === 'TOKEN_EXPIRED' ? { error: 'EXPIRED_TOKEN' as const } : {}),
    ...(failure.code === 'TOKEN_INVALID' ? { error: 'INVALID_TOKEN' as const } : {}),
  };
}

export async function sendProblem(request: FastifyRequest, reply: FastifyReply, error: unknown): Promise<void> {
  const body = asProblem(error);
  const seconds = error instanceof ServiceError ? error.retryAfterSeconds : undefined;
  if (body.status === 500) request.log.error({ err: error, route: request.routeOptions.url }, 'A request failed');
  await sendRaw(reply, body, seconds === undefined ? {} : { 'retry-after': String(seconds) });
}

/** Past the route's own serializer, which knows the statuses that it documents. */
export function sendRaw(
  reply: FastifyReply,
  body: Problem,
  headers: Readonly<Record<string, string>> = {},
): FastifyReply {
  return reply
    .code(body.status)
    .headers(headers)
    .type('application/json; charset=utf-8')
    .serializer((value) => JSON.stringify(value))
    .send(body);
}

export function plainProblem(status: number, message: string): Problem {
  return { status, message, instance: INSTANCE, retryable: false };
}
