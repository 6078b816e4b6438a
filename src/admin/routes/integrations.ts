import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { nameFault } from '../../catalog/records.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { acceptConfiguration } from '../../integrations/secrets/written-configuration.ts';
import { describeFaults } from '../../parsing.ts';
import { type Edit, unchanged } from '../../redis/edits.ts';
import { callerOfRequest, demandWrite } from '../access/authorize.ts';
import { type Caller, callerOf, demandAccess } from '../access/caller.ts';
import { integrationAsked } from '../access/targets.ts';
import { answers, flag, isTrue, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { deleteRecords, demandRecord, editsForNew, fieldsOf, rawOf, recordText, textIn } from '../records.ts';
import { limitToWrite } from '../wire/common.ts';
import {
  type IntegrationUpdate,
  integrationOnWire,
  integrationsFor,
  integrationUpdate,
  modelsFor,
  wireIntegration,
} from '../wire/integration.ts';
import { tagsToWrite } from './tags.ts';

const tags = ['Integrations'];
const path = z.object({ name: z.string() });
const filter = z.object({ category: z.string().optional(), activeOnly: flag.optional() });
const on = (params: Readonly<Record<string, string>>) => integrationAsked(params['name'] ?? '');

/** Integrations of AWS Bedrock: Orkes' IntegrationResource. */
export function integrationRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;
  const key = names.hash('integrations');

  /** None for a category that is not ours: a picker for vector stores has nothing to pick here. */
  const shown = (caller: Caller, { category = 'AI_MODEL', activeOnly }: z.infer<typeof filter>, withApis: boolean) =>
    category === 'AI_MODEL'
      ? integrationsFor(catalog.current(), caller, { activeOnly: isTrue(activeOnly), withApis })
      : [];

  return async (app) => {
    app.get('/integrations', {
      schema: {
        tags,
        summary: 'Every integration with its models',
        querystring: filter,
        response: answers({ 200: z.array(wireIntegration) }),
      },
      config: { permission: { kind: 'signed-in' } },
      handler: async (request) => shown(callerOfRequest(request), request.query, true),
    });

    app.post('/integrations', {
      schema: {
        tags,
        summary: 'Create or replace several integrations, all or none',
        body: z.array(integrationUpdate.extend({ name: z.string() })).max(1_000),
        response: answers({ 200: nothing }),
      },
      config: {
        unversioned: true,
        permission: { kind: 'by-body', rule: 'Each needs what POST /api/integrations/provider/{name} needs.' },
      },
      async handler(request) {
        const { subject } = callerOfRequest(request);
        const known = new Set(request.body.map(({ name }) => name));
        if (known.size < request.body.length) {
          throw new ServiceError('REQUEST_INVALID', 'an integration is named twice');
        }
        await writer.change([key], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          const edits = request.body.flatMap(({ name, ...update }) => {
            demandWrite(snapshot, caller, 'INTEGRATION_CREATE', integrationAsked(name));
            return writeIntegration(parts, snapshot, caller, name, update);
          });
          return { edits, result: undefined };
        });
      },
    });

    app.get('/integrations/provider', {
      schema: {
        tags,
        summary: 'Every integration',
        querystring: filter,
        response: answers({ 200: z.array(wireIntegration) }),
      },
      config: { permission: { kind: 'signed-in' }, anonymous: true },
      handler: async (request) => shown(callerOfRequest(request), request.query, false),
    });

    app.get('/integrations/provider/:name', {
      schema: {
        tags,
        summary: 'One integration, its secrets masked',
        params: path,
        response: answers({ 200: wireIntegration }),
      },
      config: { permission: { kind: 'access', access: 'READ', on } },
      async handler(request, reply) {
        const { name } = request.params;
        const snapshot = catalog.current();
        const { raw, record } = demandRecord(snapshot, 'integrations', name);
        const models = modelsFor(snapshot, callerOfRequest(request), name, { activeOnly: false });
        tellVersion(reply, raw);
        return integrationOnWire(name, record, { models, withApis: false });
      },
    });

    app.post('/integrations/provider/:name', {
      schema: {
        tags,
        summary: 'Create an integration, or replace its whole configuration',
        description: 'The connection types CONDUCTOR_ROLE and EXTERNAL_ROLE are for ADMIN.',
        params: path,
        body: integrationUpdate,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'write', creates: 'INTEGRATION_CREATE', on } },
      async handler(request, reply) {
        const { name } = request.params;
        const { subject } = callerOfRequest(request);
        const version = await writer.change([key], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          demandVersion(request, rawOf(snapshot, 'integrations', name));
          demandWrite(snapshot, caller, 'INTEGRATION_CREATE', integrationAsked(name));
          const edits = writeIntegration(parts, snapshot, caller, name, request.body);
          return { edits, result: textIn(edits, key, name) };
        });
        tellVersion(reply, version);
      },
    });

    app.delete('/integrations/provider/:name', {
      schema: {
        tags,
        summary: 'Delete an integration with its models, and every grant on them',
        params: path,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'access', access: 'DELETE', on } },
      async handler(request) {
        const { name } = request.params;
        const { subject } = callerOfRequest(request);
        await deleteRecords(parts, ['integrations', 'models'], (snapshot) => {
          demandAccess(callerOf(snapshot, subject), 'DELETE', integrationAsked(name));
          const raw = rawOf(snapshot, 'integrations', name);
          demandVersion(request, raw);
          if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no integration ${name}`);
          const models = [...snapshot.names('models')].filter((model) => model.startsWith(`${name}:`));
          return [
            { kind: 'integrations' as const, name },
            ...models.map((model) => ({ kind: 'models' as const, name: model })),
          ];
        });
      },
    });
  };
}

/** Throws REQUEST_INVALID, or PERMISSION_DENIED where the connection or a tag is not the caller's to write. */
function writeIntegration(
  { names, keyring }: AdminParts,
  snapshot: Snapshot,
  caller: Caller,
  name: string,
  update: IntegrationUpdate,
): Edit[] {
  const bad = nameFault('integrations', name);
  if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', `name: ${bad}`);
  const raw = rawOf(snapshot, 'integrations', name);
  const found = snapshot.integration(name);
  const stored = found.kind === 'found' ? found.record : undefined;
  const json = fieldsOf(snapshot, 'integrations', name);
  if (stored !== undefined && update.type !== undefined && update.type !== stored.type) {
    throw new ServiceError('REQUEST_INVALID', `type: the integration is of type ${stored.type}, which cannot change`);
  }
  const written = acceptConfiguration({
    name,
    stored: stored?.configuration,
    written: update.configuration,
    keyring,
    byAdmin: caller.isAdmin,
  });
  if (!written.ok) {
    throw new ServiceError(written.forbidden ? 'PERMISSION_DENIED' : 'REQUEST_INVALID', describeFaults(written.faults));
  }
  const text = recordText(
    'integrations',
    {
      ...json,
      type: update.type ?? stored?.type ?? 'aws_bedrock_cohere',
      category: 'AI_MODEL',
      description: update.description ?? stored?.description,
      enabled: update.enabled ?? stored?.enabled ?? true,
      configuration: written.configuration,
      ...limitToWrite(update, stored),
      tags: tagsToWrite(snapshot, caller, integrationAsked(name), update.tags ?? undefined, {
        isNew: stored === undefined,
      }),
      apis: undefined,
      modelsCount: undefined,
      name: undefined,
    },
    { caller, before: json },
  );
  const edit = { key: names.hash('integrations'), field: name, before: raw, after: text };
  if (raw !== undefined) return [edit];
  return [edit, ...editsForNew({ names, snapshot, caller }, { kind: 'integrations', name }, integrationAsked(name))];
}

/** That an integration is still there when something is written that belongs to it. */
export function withIntegration(parts: AdminParts, snapshot: Snapshot, name: string): Edit {
  const { raw } = demandRecord(snapshot, 'integrations', name);
  return unchanged(parts.names.hash('integrations'), name, raw);
}
