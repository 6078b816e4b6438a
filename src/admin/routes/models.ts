import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { z } from 'zod';
import { nameFault } from '../../catalog/records.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { lifeOf, lifeWarning } from '../../integrations/cohere/models.ts';
import { modelRecord } from '../../integrations/model.ts';
import type { Edit } from '../../redis/edits.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { type Caller, callerOf, demandAccess, refuse } from '../access/caller.ts';
import { integrationAsked, modelAsked } from '../access/targets.ts';
import { answers, flag, isTrue, noBody, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import { tellWarnings } from '../http/warnings.ts';
import type { AdminParts } from '../parts.ts';
import { deleteRecords, demandRecord, editsForNew, fieldsOf, rawOf, recordText, textIn } from '../records.ts';
import { limitToWrite } from '../wire/common.ts';
import { type ModelUpdate, modelOnWire, modelsFor, modelUpdate, wireModel } from '../wire/integration.ts';
import { promptOnWire, wirePrompt } from '../wire/prompt.ts';
import { withIntegration } from './integrations.ts';
import { tagsToWrite } from './tags.ts';
import { linkModel } from './write-prompt.ts';

const tags = ['Models'];
const ofIntegration = z.object({ name: z.string() });
const path = z.object({ name: z.string(), model: z.string() });
const promptPath = z.object({ name: z.string(), model: z.string(), prompt: z.string() });
type Params = Readonly<Record<string, string>>;
const on = (params: Params) => modelAsked(params['name'] ?? '', params['model'] ?? '');

/** Models of integrations: what Orkes calls an integration's APIs. */
export function modelRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer, log } = parts;

  return async (app) => {
    app.get('/integrations/provider/:name/integration', {
      schema: {
        tags,
        summary: "An integration's models",
        params: ofIntegration,
        querystring: z.object({ activeOnly: flag.optional() }),
        response: answers({ 200: z.array(wireModel) }),
      },
      config: { permission: { kind: 'signed-in' }, anonymous: true },
      handler: async (request) =>
        modelsFor(catalog.current(), callerOfRequest(request), request.params.name, {
          activeOnly: isTrue(request.query.activeOnly),
        }),
    });

    app.get('/integrations/provider/:name/integration/all', {
      schema: {
        tags,
        summary: "The names of an integration's models",
        params: ofIntegration,
        response: answers({ 200: z.array(z.string()) }),
      },
      config: { permission: { kind: 'signed-in' } },
      handler: async (request) =>
        modelsFor(catalog.current(), callerOfRequest(request), request.params.name, { activeOnly: false }).map(
          ({ api }) => api,
        ),
    });

    app.get('/integrations/provider/:name/integration/:model', {
      schema: { tags, summary: 'One model', params: path, response: answers({ 200: wireModel }) },
      config: { permission: { kind: 'access', access: 'READ', on } },
      async handler(request, reply) {
        const { name, model } = request.params;
        const { raw, record, json } = demandRecord(catalog.current(), 'models', `${name}:${model}`);
        tellVersion(reply, raw);
        return modelOnWire(name, model, record, json);
      },
    });

    app.post('/integrations/provider/:name/integration/:model', {
      schema: {
        tags,
        summary: 'Add a model to an integration, or replace its configuration',
        description:
          'A new model, and another `modelId`, need UPDATE on the integration. The header `Warning` of the answer says where ' +
          "the model's life at Bedrock has ended or will end; it is written all the same.",
        params: path,
        body: modelUpdate,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'access', access: 'UPDATE', on } },
      async handler(request, reply) {
        const { name, model } = request.params;
        const { subject } = callerOfRequest(request);
        const version = await writer.change([names.hash('models'), names.hash('integrations')], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          demandAccess(caller, 'UPDATE', modelAsked(name, model));
          demandVersion(request, rawOf(snapshot, 'models', `${name}:${model}`));
          const edits = writeModel(parts, snapshot, caller, { name, model }, request.body);
          return { edits, result: textIn(edits, names.hash('models'), `${name}:${model}`) };
        });
        tellVersion(reply, version);
        warnOfItsEnd({ name, model, version }, reply, log);
      },
    });

    app.delete('/integrations/provider/:name/integration/:model', {
      schema: {
        tags,
        summary: 'Delete a model, its links to prompts, and every grant on it',
        params: path,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'access', access: 'DELETE', on } },
      async handler(request) {
        const { name, model } = request.params;
        const { subject } = callerOfRequest(request);
        await deleteRecords(parts, ['models'], (snapshot) => {
          demandAccess(callerOf(snapshot, subject), 'DELETE', modelAsked(name, model));
          const raw = rawOf(snapshot, 'models', `${name}:${model}`);
          demandVersion(request, raw);
          if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no model ${name}:${model}`);
          return [{ kind: 'models' as const, name: `${name}:${model}` }];
        });
      },
    });

    app.get('/integrations/provider/:name/integration/:model/prompt', {
      schema: {
        tags,
        summary: 'The prompts that a model may run',
        params: path,
        response: answers({ 200: z.array(wirePrompt) }),
      },
      config: { permission: { kind: 'signed-in' }, anonymous: true },
      async handler(request) {
        const { name, model } = request.params;
        const caller = callerOfRequest(request);
        const snapshot = catalog.current();
        if (!caller.may('READ', modelAsked(name, model))) return [];
        return [...snapshot.names('prompts')].sort().flatMap((prompt) => {
          const found = snapshot.prompt(prompt);
          if (found.kind !== 'found' || !found.record.integrations.includes(`${name}:${model}`)) return [];
          return caller.may('READ', { kind: 'prompt', prompt }) ? [promptOnWire(prompt, found.record, caller)] : [];
        });
      },
    });

    app.post('/integrations/provider/:name/integration/:model/prompt/:prompt', {
      schema: {
        tags,
        summary: 'Let a model run a prompt',
        description: 'Needs READ on the model, too; UPDATE on one that takes only named prompts.',
        params: promptPath,
        body: noBody,
        response: answers({ 200: nothing }),
      },
      config: {
        permission: {
          kind: 'access',
          access: 'UPDATE',
          on: (params) => ({ kind: 'prompt', prompt: params['prompt'] ?? '' }),
        },
      },
      async handler(request) {
        const { name, model, prompt } = request.params;
        const { subject } = callerOfRequest(request);
        await writer.change([names.hash('prompts'), names.hash('models')], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          demandAccess(caller, 'UPDATE', { kind: 'prompt', prompt });
          const kept = linkModel(parts, snapshot, caller, `${name}:${model}`);
          const { raw, record, json } = demandRecord(snapshot, 'prompts', prompt);
          demandVersion(request, raw);
          const linked = [...new Set([...record.integrations, `${name}:${model}`])];
          const after = recordText('prompts', { ...json, integrations: linked }, { caller, before: json });
          const edit = { key: names.hash('prompts'), field: prompt, before: raw, after };
          return { edits: [kept, edit], result: undefined };
        });
      },
    });
  };
}

function warnOfItsEnd(
  { name, model, version }: { readonly name: string; readonly model: string; readonly version: string },
  reply: FastifyReply,
  log: Logger,
): void {
  const { modelId } = modelRecord.parse(JSON.parse(version)).configuration;
  const warning = lifeWarning(lifeOf(modelId ?? model, new Date()));
  if (warning === undefined) return;
  tellWarnings(reply, [warning]);
  log.warn({ model: `${name}:${model}`, warning }, 'A model was written whose life at Bedrock has ended or will end');
}

function writeModel(
  parts: AdminParts,
  snapshot: Snapshot,
  caller: Caller,
  { name, model }: { readonly name: string; readonly model: string },
  update: ModelUpdate,
): Edit[] {
  const { names } = parts;
  const field = `${name}:${model}`;
  const bad = nameFault('models', field);
  if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', bad);
  const raw = rawOf(snapshot, 'models', field);
  const found = snapshot.lookup('models', field);
  const stored = found.kind === 'found' ? found.record : undefined;
  const json = fieldsOf(snapshot, 'models', field);
  const configuration = update.configuration ?? json?.['configuration'];
  const named = (configuration as { modelId?: unknown } | null | undefined)?.modelId;
  // What is called in place of the name: limits and lanes follow it, so it is the integration's affair.
  if (stored === undefined || named !== stored.configuration.modelId) {
    if (!caller.may('UPDATE', integrationAsked(name))) refuse(caller, 'UPDATE', integrationAsked(name));
  }
  const text = recordText(
    'models',
    {
      ...json,
      description: update.description ?? stored?.description,
      enabled: update.enabled ?? stored?.enabled ?? true,
      configuration,
      ...limitToWrite(update, stored),
      tags: tagsToWrite(snapshot, caller, modelAsked(name, model), update.tags ?? undefined, {
        isNew: stored === undefined,
      }),
      integrationName: undefined,
      api: undefined,
    },
    { caller, before: json },
  );
  const edits: Edit[] = [
    withIntegration(parts, snapshot, name),
    { key: names.hash('models'), field, before: raw, after: text },
  ];
  if (raw !== undefined) return edits;
  return [
    ...edits,
    ...editsForNew({ names, snapshot, caller }, { kind: 'models', name: field }, modelAsked(name, model)),
  ];
}
