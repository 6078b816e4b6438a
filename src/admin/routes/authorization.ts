import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { nameFault } from '../../catalog/records.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { ACCESSES, type Access, formatAccess, parseAccess, type TargetId, targetFault } from '../../rbac/grants.ts';
import { isSystemRole } from '../../rbac/permissions.ts';
import { applicationIdOf, parseSubjectId, type Subject, subjectId } from '../../rbac/subject.ts';
import { type Edit, unchanged } from '../../redis/edits.ts';
import type { ManifestKind } from '../../redis/keys.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { type Caller, callerOf, demandGrantor, refuse } from '../access/caller.ts';
import { askedOf } from '../access/targets.ts';
import { answers, nothing } from '../http/schemas.ts';
import type { AdminParts } from '../parts.ts';
import { rawOf } from '../records.ts';
import { wireAccess } from '../wire/access.ts';

const tags = ['Authorization'];
const reference = z.strictObject({ type: z.string().min(1), id: z.string().min(1) });

/** Orkes' AuthorizationRequest. */
const grantRequest = z.strictObject({
  subject: reference.describe('USER, GROUP or ROLE, in any case; an application is the USER app:<its id>.'),
  target: reference.describe(
    'INTEGRATION_PROVIDER, INTEGRATION (id provider:model), PROMPT, APPLICATION, TAG (id key:value), or another type, which is kept.',
  ),
  access: z.array(z.string()).min(1),
});
type GrantRequest = z.infer<typeof grantRequest>;

/** Orkes reads types in any case. */
interface Requested {
  readonly subject: Subject;
  readonly target: TargetId;
  readonly access: ReadonlySet<Access>;
}

/** Grants: Orkes' AuthorizationResource. */
export function authorizationRoutes(parts: AdminParts): FastifyPluginAsyncZod {
  const { catalog, names, writer } = parts;

  async function change(request: { body: GrantRequest }, caller: Caller, isGrant: boolean): Promise<void> {
    const wanted = requested(request.body);
    const key = names.grants(subjectId(wanted.subject));
    // What is so already is made sure of, too: here it may not be known yet that somebody has just changed it.
    await writer.change([key, ...SERVED_KINDS.map((kind) => names.hash(kind))], (snapshot) => {
      const now = callerOf(snapshot, caller.subject);
      demandMayGrant(now, wanted, isGrant);
      const raw = snapshot.grantText(subjectId(wanted.subject), wanted.target);
      const read = raw === undefined ? undefined : parseAccess(raw);
      const held = read !== undefined && 'access' in read ? read.access : new Set<Access>();
      const next = isGrant
        ? new Set([...held, ...wanted.access])
        : new Set([...held].filter((word) => !wanted.access.has(word)));
      const after = next.size === 0 ? undefined : formatAccess(next);
      const sure = isGrant ? stillThere(parts, snapshot, wanted) : [];
      return { edits: [...sure, { key, field: wanted.target, before: raw, after }], result: undefined };
    });
  }

  return async (app) => {
    const rule = 'Needs to have created the target, or the role ADMIN; nobody grants what they do not hold.';
    app.post('/auth/authorization', {
      schema: { tags, summary: 'Grant access', body: grantRequest, response: answers({ 200: nothing }) },
      config: { unversioned: true, permission: { kind: 'by-body', rule } },
      handler: async (request) => await change(request, callerOfRequest(request), true),
    });

    app.delete('/auth/authorization', {
      schema: { tags, summary: 'Take access away', body: grantRequest, response: answers({ 200: nothing }) },
      config: { unversioned: true, permission: { kind: 'by-body', rule } },
      handler: async (request) => await change(request, callerOfRequest(request), false),
    });

    app.get('/auth/authorization/:type/:id', {
      schema: {
        tags,
        summary: 'Who holds what on a target',
        params: z.object({ type: z.string(), id: z.string() }),
        response: answers({
          200: z.partialRecord(wireAccess, z.array(z.object({ type: z.string(), id: z.string() }))),
        }),
      },
      config: { permission: { kind: 'by-body', rule: 'Needs READ on the target, or the role ADMIN.' } },
      async handler(request) {
        const caller = callerOfRequest(request);
        const target = targetOf(request.params);
        if (!caller.isAdmin) {
          const asked = askedOf(target);
          if (asked === undefined || !caller.may('READ', asked)) {
            throw new ServiceError('PERMISSION_DENIED', `READ on ${target}: unknown or not permitted`);
          }
        }
        const held: Partial<Record<Access, { type: string; id: string }[]>> = {};
        for (const { subject, access } of catalog.current().subjectsOn([target])) {
          const holder = parseSubjectId(subject);
          if (holder === undefined) continue;
          for (const word of ACCESSES) {
            if (!access.has(word)) continue;
            const list = held[word] ?? [];
            list.push({ type: holder.type, id: holder.id });
            held[word] = list;
          }
        }
        return held;
      },
    });
  };
}

const KINDS = { USER: 'users', GROUP: 'groups', ROLE: 'roles' } as const;

const SERVED_KINDS = [
  'integrations',
  'models',
  'prompts',
  'applications',
  'groups',
  'roles',
] as const satisfies readonly ManifestKind[];

function requested({ subject, target, access }: GrantRequest): Requested {
  const holder = parseSubjectId(`${subject.type.toUpperCase()}:${subject.id}`);
  if (holder === undefined) throw new ServiceError('REQUEST_INVALID', 'subject.type: USER, GROUP or ROLE');
  const bad = nameFault(KINDS[holder.type], applicationIdOf(holder) ?? holder.id);
  if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', `subject.id: ${bad}`);
  const words = parseAccess(access.map((word) => word.toUpperCase()).join(','));
  if ('fault' in words) throw new ServiceError('REQUEST_INVALID', `access: one or more of ${ACCESSES.join(', ')}`);
  return { subject: holder, target: targetOf(target), access: words.access };
}

function targetOf({ type, id }: { readonly type: string; readonly id: string }): TargetId {
  const target = `${type.toUpperCase()}:${id}`;
  const fault = targetFault(target) ?? nameFault('prompts', id);
  if (fault !== undefined) throw new ServiceError('REQUEST_INVALID', `target: ${fault}`);
  return target as TargetId;
}

/** A tag is on many things, of many makers, and the other types are not ours to judge: both are for ADMIN. */
function demandMayGrant(caller: Caller, { target, access }: Requested, isGrant: boolean): void {
  if (caller.isAdmin) return;
  const asked = askedOf(target);
  if (asked === undefined) refuse(caller, 'the role ADMIN');
  demandGrantor(caller, asked);
  if (!isGrant) return;
  const held = caller.held(asked);
  const more = [...access].find((word) => !held.has(word));
  if (more !== undefined) refuse(caller, more, asked);
}

/** Nobody is granted what is gone by now, nor anything on it: it would count for the next of the name. Throws NOT_FOUND. */
function stillThere({ names }: AdminParts, snapshot: Snapshot, { subject, target }: Requested): Edit[] {
  const needed: { kind: ManifestKind; name: string }[] = [];
  const application = applicationIdOf(subject);
  if (application !== undefined) needed.push({ kind: 'applications', name: application });
  if (subject.type === 'GROUP') needed.push({ kind: 'groups', name: subject.id });
  if (subject.type === 'ROLE' && !isSystemRole(subject.id)) needed.push({ kind: 'roles', name: subject.id });
  const asked = askedOf(target);
  if (asked?.kind === 'integration') needed.push({ kind: 'integrations', name: asked.integration });
  if (asked?.kind === 'model') needed.push({ kind: 'models', name: `${asked.integration}:${asked.model}` });
  if (asked?.kind === 'prompt') needed.push({ kind: 'prompts', name: asked.prompt });
  if (asked?.kind === 'application') needed.push({ kind: 'applications', name: asked.application });
  return needed.map(({ kind, name }) => {
    const raw = rawOf(snapshot, kind, name);
    if (raw === undefined) throw new ServiceError('NOT_FOUND', `There is no ${kind.slice(0, -1)} ${name}`);
    return unchanged(names.hash(kind), name, raw);
  });
}
