import { ServiceError } from '../errors.ts';
import type { Frequency } from '../record-fields.ts';
import type { Limit } from './limit-book.ts';
import type { Reached } from './token-limits.ts';

const PERIODS: Readonly<Record<Frequency, string>> = { daily: 'today', weekly: 'this week', monthly: 'this month' };

/**
 * What a caller is told whose call a limit refuses: whose it is, what was used, and when it resets. `model`: as the call names
 * it; another name of the same model, or the ARN behind it, is none of the caller's business.
 */
export function limitError({ limit, used, resetsAt }: Reached, model: string, now = Date.now()): ServiceError {
  const name = limit.kind === 'model' ? model : limit.name;
  return new ServiceError(
    'TOKEN_LIMIT_REACHED',
    `The token limit of the ${limit.kind} ${name} is used up: ${used} of ${limit.maxTokens} tokens ${PERIODS[limit.frequency]} ` +
      `(UTC). It resets at ${momentOf(resetsAt)}; an administrator can raise maxTokens of its record`,
    { field: fieldOf(limit), retryAfterSeconds: Math.max(1, Math.ceil((resetsAt - now) / 1_000)) },
  );
}

/** `2026-12-01T00:00:00Z` */
export function momentOf(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** The task's input by which the limit concerns it; a subject's and its groups' do so whatever the inputs are. */
function fieldOf({ kind }: Limit): string | undefined {
  if (kind === 'model') return 'model';
  return kind === 'integration' ? 'llmProvider' : undefined;
}
