import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { parseSubject, subjectId } from '../../rbac/subject.ts';
import { lastDays, USAGE_KEPT_DAYS } from '../../telemetry/usage-days.ts';
import { answers, countTo } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';

const DEFAULT_DAYS = 31;
const LINES_AT_MOST = 1_000;
const DEFAULT_LINES = 100;

const query = z.object({
  subject: z.string().min(1).optional().describe('One subject: `USER:x`, or `x`, of an application `app:x`.'),
  integration: z.string().min(1).optional().describe('Of this integration alone.'),
  model: z.string().min(1).optional().describe('Of models of this name alone.'),
  lookUpWindow: countTo(USAGE_KEPT_DAYS)
    .optional()
    .describe(`Days, today among them: 1 to ${USAGE_KEPT_DAYS}, by default ${DEFAULT_DAYS}.`),
  limit: countTo(LINES_AT_MOST)
    .optional()
    .describe(`How many lines at most, those of the most tokens: 1 to ${LINES_AT_MOST}, by default ${DEFAULT_LINES}.`),
});

const subjectUsage = z.object({
  subject: z.string().describe('`USER:x`, or `USER:app:x`.'),
  integrationName: z.string(),
  api: z.string(),
  calls: z.number().int(),
  promptTokens: z.number().int(),
  completionTokens: z.number().int(),
  totalTokens: z.number().int(),
  cacheHits: z.number().int().describe('What was given from the cache: no call, no tokens.'),
});

/** Who used which models, and how much: ours, Orkes has none such. */
export function subjectUsageRoutes({ usage }: AdminParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/usage/subjects', {
      schema: {
        tags: ['Usage'],
        summary: 'What each subject used of each model, the most tokens first',
        querystring: query,
        response: answers({ 200: z.array(subjectUsage) }),
      },
      config: { permission: { kind: 'admin' } },
      async handler(request) {
        const { subject, integration, model, lookUpWindow = DEFAULT_DAYS, limit = DEFAULT_LINES } = request.query;
        const who = subject === undefined ? undefined : parseSubject(subject);
        if (subject !== undefined && who === undefined)
          throw new ServiceError('REQUEST_INVALID', 'subject: must be USER:x, or x');
        const used = await usage.bySubject(lastDays(lookUpWindow), who && subjectId(who)).catch((cause: unknown) => {
          throw new ServiceError('UNREACHABLE', 'Redis does not answer', { cause });
        });
        return used
          .filter((use) => integration === undefined || use.integration === integration)
          .filter((use) => model === undefined || use.model === model)
          .map((use) => ({
            subject: use.subject,
            integrationName: use.integration,
            api: use.model,
            calls: use.calls,
            promptTokens: use.promptTokens,
            completionTokens: use.completionTokens,
            totalTokens: use.promptTokens + use.completionTokens,
            cacheHits: use.cacheHits,
          }))
          .sort((one, other) => other.totalTokens - one.totalTokens || compare(one, other))
          .slice(0, limit);
      },
    });
  };
}

interface Named {
  readonly subject: string;
  readonly integrationName: string;
  readonly api: string;
}

function compare(one: Named, other: Named): number {
  const [first, second] = [one, other].map(({ subject, integrationName, api }) =>
    JSON.stringify([subject, integrationName, api]),
  );
  return (first ?? '') < (second ?? '') ? -1 : 1;
}
