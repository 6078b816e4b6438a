import type { z } from 'zod';
import { ServiceError } from '../errors.ts';
import { describeFaults, parseValue } from '../parsing.ts';
import type { Family, TokenCounts } from './codec.ts';
import { FAMILY_NAMES } from './parameters.ts';

/** Reads an answer by a schema of just the fields used. Throws ANSWER_INVALID, which never repeats what the model wrote. */
export function readAnswer<T>(family: Family, body: unknown, schema: z.ZodType<T>): T {
  const read = parseValue(body, schema);
  if (read.ok) return read.value;
  // Three faults name the trouble; an answer may hold thousands.
  throw answerInvalid(family, describeFaults(read.faults.slice(0, 3)));
}

export function answerInvalid(family: Family, reason: string): ServiceError {
  return new ServiceError('ANSWER_INVALID', `The answer of ${FAMILY_NAMES[family]} is not as documented: ${reason}.`);
}

/** The counts that were really given: neither an absent one nor a NaN becomes a member. */
export function givenCounts(prompt: number | null | undefined, completion: number | null | undefined): TokenCounts {
  return {
    ...(isCount(prompt) ? { prompt } : {}),
    ...(isCount(completion) ? { completion } : {}),
  };
}

function isCount(value: number | null | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
