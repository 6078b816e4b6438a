import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { lastDays, startOfDay, USAGE_KEPT_DAYS } from '../../telemetry/usage-days.ts';
import type { ModelDay } from '../../telemetry/usage-reader.ts';
import { callerOfRequest } from '../access/authorize.ts';
import type { Caller } from '../access/caller.ts';
import { integrationAsked, modelAsked } from '../access/targets.ts';
import { answers, countTo } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';
import { demandRecord } from '../records.ts';

const tags = ['Usage'];
const path = z.object({ name: z.string() });

/** The days that Orkes' token history looks back by default; here those of every sum, too. */
const DEFAULT_DAYS = 31;

/** Orkes' TokenUsageLog: one model on one day. */
const tokenUsage = z.object({
  integrationName: z.string(),
  api: z.string(),
  periodStart: z.number().int().describe('When the day began (UTC), in milliseconds.'),
  promptTokens: z.number().int(),
  completionTokens: z.number().int(),
  totalTokens: z.number().int(),
});

const historyQuery = z.object({
  model: z.string().optional().describe('One model; `*`, by default: every one.'),
  lookUpWindow: countTo(USAGE_KEPT_DAYS)
    .optional()
    .describe(`Days, today among them: 1 to ${USAGE_KEPT_DAYS}, by default ${DEFAULT_DAYS}.`),
});

const total = ({ promptTokens, completionTokens }: ModelDay): number => promptTokens + completionTokens;

/** What models used, as workers counted it: Orkes' token history and metrics. Shows the models that the caller may READ. */
export function tokenUsageRoutes({ catalog, usage }: AdminParts): FastifyPluginAsyncZod {
  /** `model`: that one alone. What a caller may not READ is not asked for. */
  async function shown(caller: Caller, name: string, days: number, model?: string): Promise<ModelDay[]> {
    const may = (one: string) => caller.may('READ', modelAsked(name, one));
    const asked = model === undefined ? readable(caller, name, may) : [model].filter(may);
    return usage.ofIntegration(name, lastDays(days), asked).catch((cause: unknown) => {
      throw new ServiceError('UNREACHABLE', 'Redis does not answer', { cause });
    });
  }

  /** Whoever may READ an integration sees models that are gone, too; whoever holds single ones, those that are there. */
  function readable(caller: Caller, name: string, may: (model: string) => boolean): readonly string[] | 'every' {
    if (caller.may('READ', integrationAsked(name))) return 'every';
    const beginning = `${name}:`;
    return [...catalog.current().names('models')]
      .filter((qualified) => qualified.startsWith(beginning))
      .map((qualified) => qualified.slice(beginning.length))
      .filter(may);
  }

  return async (app) => {
    app.get('/integrations/llm/:name/token/history', {
      schema: {
        tags,
        summary: "The tokens that an integration's models used, day by day",
        params: path,
        querystring: historyQuery,
        response: answers({ 200: z.array(tokenUsage) }),
      },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const { name } = request.params;
        const { model = '*', lookUpWindow = DEFAULT_DAYS } = request.query;
        const one = model === '*' ? undefined : model;
        const used = await shown(callerOfRequest(request), name, lookUpWindow, one);
        return used.map((day) => ({
          integrationName: name,
          api: day.model,
          periodStart: startOfDay(day.day),
          promptTokens: day.promptTokens,
          completionTokens: day.completionTokens,
          totalTokens: total(day),
        }));
      },
    });

    app.get('/integrations/provider/:name/metrics', {
      schema: {
        tags,
        summary: `The tokens of each model over the last ${DEFAULT_DAYS} days`,
        params: path,
        response: answers({ 200: z.record(z.string(), z.number().int()) }),
      },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const { name } = request.params;
        const sums = new Map<string, number>();
        for (const one of await shown(callerOfRequest(request), name, DEFAULT_DAYS)) {
          sums.set(one.model, (sums.get(one.model) ?? 0) + total(one));
        }
        return Object.fromEntries(sums);
      },
    });

    app.get('/integrations/provider/:name/integration/:model/metrics', {
      schema: {
        tags,
        summary: `The tokens of one model over the last ${DEFAULT_DAYS} days`,
        params: z.object({ name: z.string(), model: z.string() }),
        response: answers({ 200: z.number().int() }),
      },
      config: {
        permission: {
          kind: 'access',
          access: 'READ',
          on: (params) => modelAsked(params['name'] ?? '', params['model'] ?? ''),
        },
      },
      async handler(request) {
        const { name, model } = request.params;
        demandRecord(catalog.current(), 'models', `${name}:${model}`);
        const used = await shown(callerOfRequest(request), name, DEFAULT_DAYS, model);
        return used.reduce((sum, one) => sum + total(one), 0);
      },
    });
  };
}
