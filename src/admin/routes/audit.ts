import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { AUDIT_STREAMS } from '../../audit/reader.ts';
import { ACTIONS, AUDIT_KINDS, changeRecord, denialRecord, entryId } from '../../audit/records.ts';
import { ServiceError } from '../../errors.ts';
import { answers, countTo } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';

/** The largest time that a stream's id can hold is larger than what a date can. */
const MS_AT_MOST = 8.64e15;

const time = z
  .string()
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text)))
  .pipe(z.number('a time, such as 2026-11-26T12:00:00Z, or milliseconds').min(0).max(MS_AT_MOST));

const query = z.object({
  stream: z.enum(AUDIT_STREAMS).default('changes').describe('`changes`, by default, or `denials`.'),
  kind: z.enum(AUDIT_KINDS).optional().describe('Of changes.'),
  action: z.enum(ACTIONS).optional().describe('Of changes.'),
  name: z.string().optional().describe('A record’s name, or a grant’s subject or target; of denials the target.'),
  subject: z
    .string()
    .optional()
    .describe('Who: `USER:x`, or `x`; of changes also the id of an access key, or a command’s label.'),
  from: time.optional().describe('The earliest time: ISO 8601, or milliseconds.'),
  to: time.optional().describe('The latest time.'),
  order: z.enum(['newest', 'oldest']).default('newest').describe('Which come first.'),
  limit: countTo(500).default(100).describe('How many records a page has at most: 1 to 500, by default 100.'),
  cursor: entryId.optional().describe('The `next` of the page before.'),
});

const page = z.object({
  records: z.array(z.union([changeRecord, denialRecord])),
  next: z.string().nullable().describe('For the next page, which there is even where this one is empty; null: none.'),
});

/** The record of changes and of denials: see `src/audit`. */
export function auditRoutes({ audit }: AdminParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/audit', {
      schema: {
        tags: ['Audit'],
        summary: 'Who changed what, or who was denied what',
        querystring: query,
        response: answers({ 200: page }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const { stream, order, limit, cursor, ...filter } = request.query;
        if (stream === 'denials' && (filter.kind !== undefined || filter.action !== undefined)) {
          throw new ServiceError(
            'REQUEST_INVALID',
            'kind, action: of changes alone; leave them out, or stream=denials',
          );
        }
        const { records, reached, isMore } = await audit.page({ stream, filter, order, limit, after: cursor });
        return { records: [...records], next: isMore ? (reached ?? null) : null };
      },
    });
  };
}
