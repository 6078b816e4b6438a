import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { tagTarget } from '../../rbac/grants.ts';
import { type Tag, tag } from '../../record-fields.ts';
import type { ManifestKind } from '../../redis/keys.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { type Caller, callerOf, demandGrantor, refuse } from '../access/caller.ts';
import type { PathParams } from '../access/route-permission.ts';
import { type Asked, applicationAsked, integrationAsked, modelAsked, promptAsked } from '../access/targets.ts';
import { answers, nothing } from '../http/schemas.ts';
import { demandVersion, tellVersion } from '../http/versions.ts';
import type { AdminParts } from '../parts.ts';
import { demandRecord, recordText } from '../records.ts';
import { wireTag } from '../wire/common.ts';

interface Tagged {
  readonly url: string;
  readonly group: string;
  readonly kind: Extract<ManifestKind, 'integrations' | 'models' | 'prompts' | 'applications'>;
  readonly noun: string;
  readonly params: readonly string[];
  readonly asked: (params: PathParams) => Asked;
}

const name = (params: PathParams, param = 'name'): string => params[param] ?? '';

const TAGGED: readonly Tagged[] = [
  {
    url: '/integrations/provider/:name/tags',
    group: 'Integrations',
    kind: 'integrations',
    noun: 'an integration',
    params: ['name'],
    asked: (params) => integrationAsked(name(params)),
  },
  {
    url: '/integrations/provider/:name/integration/:model/tags',
    group: 'Models',
    kind: 'models',
    noun: 'a model',
    params: ['name', 'model'],
    asked: (params) => modelAsked(name(params), name(params, 'model')),
  },
  {
    url: '/prompts/:name/tags',
    group: 'Prompts',
    kind: 'prompts',
    noun: 'a prompt',
    params: ['name'],
    asked: (params) => promptAsked(name(params)),
  },
  {
    url: '/applications/:id/tags',
    group: 'Applications',
    kind: 'applications',
    noun: 'an application',
    params: ['id'],
    asked: (params) => applicationAsked(name(params, 'id')),
  },
];

/** Reading, adding and taking off tags. A tag is what grants can be made on, so to write one is to grant. */
export function tagRoutes({ catalog, names, writer }: AdminParts): FastifyPluginAsyncZod {
  return async (app) => {
    for (const { url, group, kind, noun, params, asked } of TAGGED) {
      const tags = [group];
      const path = z.object(Object.fromEntries(params.map((param) => [param, z.string()])));
      const nameIn = (given: PathParams): string => params.map((param) => given[param]).join(':');

      app.get(url, {
        schema: { tags, summary: `The tags of ${noun}`, params: path, response: answers({ 200: z.array(wireTag) }) },
        config: { permission: { kind: 'access', access: 'READ', on: asked } },
        async handler(request, reply) {
          const { raw, record } = demandRecord(catalog.current(), kind, nameIn(request.params));
          tellVersion(reply, raw);
          return record.tags;
        },
      });

      for (const method of ['PUT', 'DELETE'] as const) {
        app.route({
          method,
          url,
          schema: {
            tags,
            summary: method === 'PUT' ? `Add tags to ${noun}; those it has stay` : `Take tags off ${noun}`,
            params: path,
            body: z.array(tag).max(100),
            response: answers({ 200: nothing }),
          },
          config: { permission: { kind: 'grantor', on: asked } },
          async handler(request) {
            const field = nameIn(request.params);
            const target = asked(request.params);
            const { subject } = callerOfRequest(request);
            await writer.change([names.hash(kind)], (snapshot) => {
              const caller = callerOf(snapshot, subject);
              const { raw, record, json } = demandRecord(snapshot, kind, field);
              demandVersion(request, raw);
              const given = new Set(request.body.map(sameTag));
              const others = record.tags.filter((held) => !given.has(sameTag(held)));
              const next = method === 'PUT' ? [...others, ...request.body] : others;
              demandMayTag(snapshot, caller, target, record.tags, next);
              const after = recordText(kind, { ...json, tags: next }, { caller, before: json });
              return { edits: [{ key: names.hash(kind), field, before: raw, after }], result: undefined };
            });
          },
        });
      }
    }
  };
}

/** The tags of a record that is written whole: what is left out stays; what differs needs the right to grant. */
export function tagsToWrite(
  snapshot: Snapshot,
  caller: Caller,
  asked: Asked,
  written: readonly Tag[] | undefined,
  { isNew }: { readonly isNew: boolean },
): readonly Tag[] {
  const held = isNew ? [] : ownTags(snapshot, asked);
  if (written === undefined || isSame(held, written)) return held;
  if (isNew && !caller.isAdmin) refuse(caller, 'the role ADMIN, which tags of a new record need', asked);
  demandMayTag(snapshot, caller, asked, held, written);
  return written;
}

/** Nobody confers by a tag what they don't hold themselves. */
function demandMayTag(
  snapshot: Snapshot,
  caller: Caller,
  asked: Asked,
  before: readonly Tag[],
  after: readonly Tag[],
): void {
  if (isSame(before, after)) return;
  demandGrantor(caller, asked);
  if (caller.isAdmin) return;
  const had = new Set(before.map(sameTag));
  const held = caller.held(asked);
  const added = after.filter((each) => !had.has(sameTag(each)));
  for (const { access } of snapshot.subjectsOn(added.map(({ key, value }) => tagTarget(key, value)))) {
    const more = [...access].find((word) => !held.has(word));
    if (more !== undefined) refuse(caller, `${more}, which a tag of these would give to others`, asked);
  }
}

function ownTags(snapshot: Snapshot, asked: Asked): readonly Tag[] {
  switch (asked.kind) {
    case 'integration':
      return demandRecord(snapshot, 'integrations', asked.integration).record.tags;
    case 'model':
      return demandRecord(snapshot, 'models', `${asked.integration}:${asked.model}`).record.tags;
    case 'prompt':
      return demandRecord(snapshot, 'prompts', asked.prompt).record.tags;
    case 'application':
      throw new ServiceError('INTERNAL', 'applications are not written with their tags');
  }
}

const sameTag = ({ key, value }: Tag): string => JSON.stringify([key, value]);

function isSame(one: readonly Tag[], other: readonly Tag[]): boolean {
  const tags = new Set(one.map(sameTag));
  return tags.size === new Set(other.map(sameTag)).size && other.every((each) => tags.has(sameTag(each)));
}
