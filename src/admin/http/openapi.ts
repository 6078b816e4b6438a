import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { describePermission } from '../access/route-permission.ts';

export const OPENAPI_PATH = '/openapi.json';

const DESCRIPTION = `
Integrations, models, prompts and who may use them, in the shapes of Orkes' API: a client made for Orkes works unchanged.

Send a token as \`X-Authorization\`; \`POST /api/token\` makes one from an access key. A \`GET\` of one record answers with its
version as \`ETag\`; a write that carries it as \`If-Match\` is refused with 412 once somebody else has changed the record.
Without \`If-Match\` the last write wins.`;

/** The API's description, made of the very schemas by which requests are read; as JSON, and for people at `/docs`. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'bedrock-cohere admin', description: DESCRIPTION.trim(), version },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Authorization' } },
      },
    },
    transform(route) {
      const described = jsonSchemaTransform(route);
      const { permission, rawText } = route.route.config ?? {};
      if (permission === undefined) return described;
      const schema: Record<string, unknown> = { ...described.schema };
      schema['description'] = [schema['description'], describePermission(permission)].filter(Boolean).join(' ');
      schema['security'] = permission.kind === 'public' ? [] : [{ token: [] }];
      if (rawText === true) schema['consumes'] = ['text/plain', 'application/json'];
      return { ...described, schema };
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs' });
}
