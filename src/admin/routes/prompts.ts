import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ServiceError } from '../../errors.ts';
import { describeFaults, parseJson } from '../../parsing.ts';
import { versionOf, versionsOf } from '../../prompts/prompt.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { callerOf, demandAccess } from '../access/caller.ts';
import { promptAsked } from '../access/targets.ts';
import { answers, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { deleteRecords, demandRecord, rawOf, recordText, textIn } from '../records.ts';
import { promptOnWire, promptUpdate, wirePrompt, writtenDefaults } from '../wire/prompt.ts';
import { templateIn } from '../wire/template.ts';
import { type PromptWrite, writePrompt } from './write-prompt.ts';

const tags = ['Prompts'];
const path = z.object({ name: z.string() });
const versionNumber = z.string().regex(/^[1-9]\d{0,8}$/, 'a whole number from 1');
const versionPath = z.object({ name: z.string(), version: versionNumber });
const saveQuery = z.object({
  description: z.string().optional(),
  models: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe('`provider:model`, repeated for several; or joined by commas.'),
  version: versionNumber.optional(),
  defaults: z
    .string()
    .optional()
    .describe(
      'Ours: a JSON object of task inputs for where a task gives none. Absent keeps those that are there; `{}` takes them away.',
    ),
  autoIncrement: z.string().optional().describe('`true`: as a new version, one above the highest.'),
});
const on = (params: Readonly<Record<string, string>>) => promptAsked(params['name'] ?? '');

/** Prompt templates and their versions: Orkes' PromptResource. */
export function promptRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;

  return async (app) => {
    app.get('/prompts', {
      schema: {
        tags,
        summary: 'Every prompt, in its highest version',
        response: answers({ 200: z.array(wirePrompt) }),
      },
      config: { permission: { kind: 'signed-in' }, anonymous: true },
      async handler(request) {
        const caller = callerOfRequest(request);
        const snapshot = catalog.current();
        return [...snapshot.names('prompts')].sort().flatMap((name) => {
          const found = snapshot.prompt(name);
          return found.kind === 'found' && caller.may('READ', promptAsked(name))
            ? [promptOnWire(name, found.record, caller)]
            : [];
        });
      },
    });

    app.post('/prompts', {
      schema: {
        tags,
        summary: 'Create or change several prompts, all or none',
        body: z.array(promptUpdate).max(1_000),
        response: answers({ 200: nothing }),
      },
      config: {
        unversioned: true,
        permission: { kind: 'by-body', rule: 'Each needs what POST /api/prompts/{name} needs.' },
      },
      async handler(request) {
        const { subject } = callerOfRequest(request);
        const known = new Set(request.body.map(({ name }) => name));
        if (known.size < request.body.length) throw new ServiceError('REQUEST_INVALID', 'a prompt is named twice');
        await writer.change([names.hash('prompts'), names.hash('models')], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          const edits = request.body.flatMap(({ name, integrations, ...given }) =>
            writePrompt(parts, snapshot, caller, name, {
              template: given.template,
              description: given.description ?? undefined,
              models: integrations ?? undefined,
              version: given.version ?? 1,
              tags: given.tags ?? undefined,
              defaults: given.defaults ?? undefined,
            }),
          );
          return { edits, result: undefined };
        });
      },
    });

    app.get('/prompts/:name', {
      schema: {
        tags,
        summary: 'One prompt, in its highest version unless one is named',
        params: path,
        querystring: z.object({ version: versionNumber.optional() }),
        response: answers({ 200: wirePrompt }),
      },
      config: { permission: { kind: 'access', access: 'READ', on } },
      async handler(request, reply) {
        const { name } = request.params;
        const { raw, record } = demandRecord(catalog.current(), 'prompts', name);
        const wanted = request.query.version === undefined ? undefined : Number(request.query.version);
        if (wanted !== undefined && versionOf(record, wanted) === undefined) {
          throw new ServiceError('NOT_FOUND', `The prompt ${name} has no version ${wanted}`);
        }
        tellVersion(reply, raw);
        return promptOnWire(name, record, callerOfRequest(request), wanted);
      },
    });

    for (const method of ['POST', 'PUT'] as const) {
      app.route({
        method,
        url: '/prompts/:name',
        schema: {
          tags,
          summary:
            method === 'POST'
              ? 'Create a prompt, or overwrite one version of it (the first unless one is named)'
              : 'Overwrite the highest version of a prompt',
          description:
            'The body is the template itself: as it is, or as a JSON string (as application/json also without its quotes).',
          params: path,
          querystring: saveQuery,
          body: z.string(),
          response: answers({ 200: nothing }),
        },
        config: { permission: { kind: 'write', creates: 'PROMPT_CREATE', on }, rawText: true },
        async handler(request, reply) {
          const { name } = request.params;
          const { description, models, version, autoIncrement, defaults } = request.query;
          const { subject } = callerOfRequest(request);
          const unnamed = method === 'PUT' ? 'latest' : 1;
          const write: PromptWrite = {
            template: templateIn(request.body, request.headers['content-type']),
            description,
            models: models === undefined ? undefined : [models].flat().flatMap((list) => list.split(',')),
            version:
              autoIncrement?.toLowerCase() === 'true' ? 'next' : version === undefined ? unnamed : Number(version),
            defaults: defaults === undefined ? undefined : defaultsIn(defaults),
          };
          const saved = await writer.change([names.hash('prompts'), names.hash('models')], (snapshot) => {
            demandVersion(request, rawOf(snapshot, 'prompts', name));
            const edits = writePrompt(parts, snapshot, callerOf(snapshot, subject), name, write);
            return { edits, result: textIn(edits, names.hash('prompts'), name) };
          });
          tellVersion(reply, saved);
        },
      });
    }

    app.delete('/prompts/:name', {
      schema: {
        tags,
        summary: 'Delete a prompt in all its versions, and every grant on it',
        params: path,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'access', access: 'DELETE', on } },
      async handler(request) {
        const { name } = request.params;
        const { subject } = callerOfRequest(request);
        await deleteRecords(parts, ['prompts'], (snapshot) => {
          demandAccess(callerOf(snapshot, subject), 'DELETE', promptAsked(name));
          const raw = rawOf(snapshot, 'prompts', name);
          demandVersion(request, raw);
          if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no prompt ${name}`);
          return [{ kind: 'prompts' as const, name }];
        });
      },
    });

    app.get('/prompts/:name/versions', {
      schema: {
        tags,
        summary: 'Every version of a prompt',
        params: path,
        response: answers({ 200: z.array(wirePrompt) }),
      },
      config: { permission: { kind: 'access', access: 'READ', on } },
      async handler(request) {
        const { name } = request.params;
        const { record } = demandRecord(catalog.current(), 'prompts', name);
        return versionsOf(record).map((version) => promptOnWire(name, record, callerOfRequest(request), version));
      },
    });

    app.delete('/prompts/:name/versions/:version', {
      schema: {
        tags,
        summary: 'Delete one version of a prompt; the first is deleted with the prompt',
        params: versionPath,
        response: answers({ 200: nothing }),
      },
      config: { permission: { kind: 'access', access: 'DELETE', on } },
      async handler(request) {
        const { name, version } = request.params;
        const { subject } = callerOfRequest(request);
        await writer.change([names.hash('prompts')], (snapshot) => {
          const caller = callerOf(snapshot, subject);
          demandAccess(caller, 'DELETE', promptAsked(name));
          const { raw, record, json } = demandRecord(snapshot, 'prompts', name);
          demandVersion(request, raw);
          const versions: Record<string, unknown> = { ...record.versions };
          if (!Object.hasOwn(versions, version)) {
            throw new ServiceError(
              version === '1' ? 'REQUEST_INVALID' : 'NOT_FOUND',
              version === '1'
                ? 'Version 1 is the prompt itself: delete the prompt'
                : `The prompt ${name} has no version ${version}`,
            );
          }
          delete versions[version];
          const after = recordText('prompts', { ...json, versions }, { caller, before: json });
          return { edits: [{ key: names.hash('prompts'), field: name, before: raw, after }], result: undefined };
        });
      },
    });
  };
}

/** Of the query. Throws REQUEST_INVALID. */
function defaultsIn(json: string): Readonly<Record<string, unknown>> {
  const read = parseJson(json, writtenDefaults);
  if (read.ok) return read.value;
  const said = read.faults.map(({ field, message }) => ({ field: `defaults${field && `.${field}`}`, message }));
  throw new ServiceError('REQUEST_INVALID', describeFaults(said));
}
