import type { FastifyInstance, FastifySchema } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { describeFaults, parseValue } from '../../parsing.ts';
import { problem } from './problem.ts';

/** Requests are read, and answers are written, by the schemas that describe them; what does not fit is told by its place. */
export function useSchemas(app: FastifyInstance): void {
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (value: unknown) => {
    const read = parseValue(value, schema);
    if (read.ok) return { value: read.value };
    const place = httpPart === 'body' ? '' : `${PARTS[httpPart ?? ''] ?? httpPart}: `;
    const nothing = httpPart === 'body' && value === undefined ? ' (the request has no body)' : '';
    return { error: new ServiceError('REQUEST_INVALID', `${place}${describeFaults(read.faults)}${nothing}`) };
  });
  app.setSerializerCompiler(serializerCompiler);
}

const PARTS: Readonly<Record<string, string>> = { params: 'path', querystring: 'query', headers: 'header' };

const WORDS: Readonly<Record<number, string>> = {
  400: 'The request is not of the form that this document says.',
  401: 'No valid token; `error` tells whether a new one helps.',
  403: 'Unknown, or not permitted.',
  404: 'There is no such record.',
  409: 'The record cannot be read, somebody keeps changing it, or nobody would be left with the role ADMIN.',
  412: 'The record has changed since the version that If-Match names.',
  413: 'The body is larger than 1 MiB.',
  415: 'The body is of another kind than the route takes.',
  421: 'This host name is not served: see ADMIN_ALLOWED_HOSTS.',
  429: 'Too many attempts, or a busy model; `Retry-After` tells how many seconds to wait.',
  424: 'AWS did not do what it was asked to, or the model failed or took too long.',
  503: 'Redis does not answer, or what is known of it may be out of date.',
};

/** An answer that is not JSON. */
export interface OtherContent {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: z.ZodType }>>;
}

/** The answers of a route: its own, and every error that it can end in. */
export function answers<T extends Record<number, z.ZodType | OtherContent>>(
  own: T,
  errors: readonly number[] = [],
): T & Record<number, z.ZodType> {
  const all = [400, 401, 403, 404, 409, 412, 413, 415, 421, 503, ...errors];
  const described = all.map((status) => [status, problem.describe(WORDS[status] ?? '')]);
  return { ...Object.fromEntries(described), ...own };
}

/** No content: Orkes' clients take any 2xx without a body. */
export const nothing = z.undefined().describe('Done.');

/** The body of a route that takes none: some clients send `{}`. */
export const noBody = z.union([z.strictObject({}), z.null(), z.undefined()]);

/** A whole number of a query, from 1 to `most`. */
export function countTo(most: number) {
  return z
    .string()
    .regex(/^\d{1,4}$/, 'a number')
    .transform(Number)
    .pipe(z.number().min(1).max(most));
}

/** `true` or `false`, in any case: Python's clients write `False`. */
export const flag = z.string().regex(/^(true|false)$/i, 'true or false');

export const isTrue = (text: string | undefined): boolean => text?.toLowerCase() === 'true';

export type RouteSchema = FastifySchema & { readonly tags: readonly string[]; readonly summary: string };
