import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { OPENAPI_PATH } from '../http/openapi.ts';
import type { AdminParts } from '../parts.ts';

const config = { permission: { kind: 'public' }, anyHost: true } as const;

/** What an orchestrator asks, and the API's own description: open to everybody, since they tell nothing of what is stored. */
export function healthRoutes({ catalog }: AdminParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/healthz', {
      schema: {
        tags: ['Health'],
        summary: 'The process answers',
        response: { 200: z.object({ state: z.literal('running') }) },
      },
      config,
      handler: async () => ({ state: 'running' as const }),
    });

    const readiness = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });
    app.get('/readyz', {
      schema: {
        tags: ['Health'],
        summary: 'Records are read and current',
        response: { 200: readiness, 503: readiness },
      },
      config,
      async handler(_, reply) {
        const reasons = [
          ...(catalog.loaded() ? [] : ['the records have not been read yet']),
          ...(catalog.staleForMs() === undefined ? [] : ['Redis does not answer']),
        ];
        const ready = reasons.length === 0;
        return await reply.code(ready ? 200 : 503).send({ ready, reasons });
      },
    });

    app.get(OPENAPI_PATH, {
      schema: { hide: true } as object,
      config: { permission: { kind: 'public' } },
      handler: async () => app.swagger(),
    });
  };
}
