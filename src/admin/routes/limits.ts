import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Snapshot } from '../../catalog/snapshot.ts';
import type { LimitState } from '../../cluster/limit-reader.ts';
import { ServiceError } from '../../errors.ts';
import { splitQualified } from '../../integrations/names.ts';
import { createLimitBook, LIMIT_KINDS, type Limit } from '../../limits/limit-book.ts';
import { FREQUENCIES } from '../../record-fields.ts';
import { callerOfRequest } from '../access/authorize.ts';
import type { Caller } from '../access/caller.ts';
import { applicationAsked, integrationAsked, modelAsked } from '../access/targets.ts';
import { answers } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';

const query = z.object({
  kind: z.enum(LIMIT_KINDS).optional().describe('Limits of one kind; by default all.'),
});

const wireLimitState = z.object({
  kind: z.enum(LIMIT_KINDS),
  name: z.string().describe('The record that sets the limit.'),
  maxTokens: z.number().int(),
  frequency: z.enum(FREQUENCIES),
  used: z.number().int().describe('Tokens of the period so far.'),
  periodStart: z.number().int().describe('When the period began (UTC), in milliseconds.'),
  resetsAt: z.number().int().describe('When the next one begins, in milliseconds.'),
  warnedAt: z.number().int().optional().describe('When 80 % were reached in this period, in milliseconds.'),
});

/** Token limits and what is used of them: ours, where Orkes shows the tokens of models alone. */
export function limitRoutes({ catalog, limits }: AdminParts): FastifyPluginAsyncZod {
  const book = createLimitBook();

  return async (app) => {
    app.get('/limits', {
      schema: {
        tags: ['Usage'],
        summary: 'Every token limit, and what is used of it',
        description:
          'ADMIN sees all. Others see those of models, integrations and applications that they may READ, of their groups, and their own.',
        querystring: query,
        response: answers({ 200: z.array(wireLimitState) }),
      },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const snapshot = catalog.current();
        const caller = callerOfRequest(request);
        const { kind } = request.query;
        const shown = [...book.all(snapshot)].filter(
          (limit) => (kind === undefined || limit.kind === kind) && maySee(snapshot, caller, limit),
        );
        const states = await limits.read(shown.sort(byName)).catch((cause: unknown) => {
          throw new ServiceError('UNREACHABLE', 'Redis does not answer', { cause });
        });
        return states.map(onWire);
      },
    });
  };
}

function maySee(snapshot: Snapshot, caller: Caller, { kind, name }: Limit): boolean {
  if (caller.isAdmin) return true;
  switch (kind) {
    case 'model': {
      const parts = splitQualified(name);
      return parts !== undefined && caller.may('READ', modelAsked(parts.integration, parts.model));
    }
    case 'integration':
      return caller.may('READ', integrationAsked(name));
    case 'application':
      return caller.id === `app:${name}` || caller.may('READ', applicationAsked(name));
    case 'group':
      return snapshot.groupsOf(caller.id).includes(name);
    case 'user':
      return caller.id === name;
  }
}

function byName(one: Limit, other: Limit): number {
  const kinds = LIMIT_KINDS.indexOf(one.kind) - LIMIT_KINDS.indexOf(other.kind);
  return kinds !== 0 ? kinds : one.name < other.name ? -1 : 1;
}

function onWire({ limit, used, period, warnedAt }: LimitState) {
  const { kind, name, maxTokens, frequency } = limit;
  const { startsAt: periodStart, endsAt: resetsAt } = period;
  return { ...{ kind, name, maxTokens, frequency, used, periodStart, resetsAt }, warnedAt };
}
