import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { answers, flag, isTrue } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';
import { integrationsFor } from '../wire/integration.ts';
import { INTEGRATION_DEFS, integrationDef } from '../wire/integration-def.ts';

const tags = ['Integrations'];

/** What can be picked, and the forms that make integrations. */
export function integrationListRoutes({ catalog }: AdminParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.get('/integrations/all', {
      schema: {
        tags,
        summary: 'Every model, as provider:model',
        querystring: z.object({ type: z.string().optional(), activeOnly: flag.optional() }),
        response: answers({ 200: z.array(z.string()) }),
      },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const { type, activeOnly } = request.query;
        const shown = integrationsFor(catalog.current(), callerOfRequest(request), {
          activeOnly: isTrue(activeOnly),
          withApis: true,
        });
        return shown
          .filter((integration) => type === undefined || integration.type === type)
          .flatMap(({ name, apis = [] }) => apis.map(({ api }) => `${name}:${api}`));
      },
    });

    app.get('/integrations/def', {
      schema: {
        tags,
        summary: 'The forms by which integrations are made',
        response: answers({ 200: z.array(integrationDef) }),
      },
      config: { permission: { kind: 'signed-in' } },
      handler: async () => INTEGRATION_DEFS,
    });

    app.get('/integrations/def/:name', {
      schema: {
        tags,
        summary: 'The form of one type',
        params: z.object({ name: z.string() }),
        response: answers({ 200: integrationDef }),
      },
      config: { permission: { kind: 'signed-in' } },
      async handler(request) {
        const found = INTEGRATION_DEFS.find(({ name }) => name === request.params.name);
        if (found === undefined)
          throw new ServiceError('NOT_FOUND', `There is no integration type ${request.params.name}`);
        return found;
      },
    });
  };
}
