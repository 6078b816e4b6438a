import type { FastifyRequest } from 'fastify';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import type { Permission } from '../../rbac/permissions.ts';
import { parseSubject, type Subject } from '../../rbac/subject.ts';
import { type Caller, callerOf, demandAccess, demandGrantor, refuse } from './caller.ts';
import type { PathParams, RoutePermission } from './route-permission.ts';
import { type Asked, recordOf } from './targets.ts';

export interface Proven {
  readonly subject: Subject;
  /** The id of the access key. */
  readonly accessKey: string;
}

export interface AuthorizationParts {
  readonly snapshot: () => Snapshot;
  /** The subject that a token proves at this moment, and the key that made it. Throws TOKEN_EXPIRED or TOKEN_INVALID. */
  readonly authenticate: (token: string) => Promise<Proven>;
  /** `ANONYMOUS_SUBJECT`. */
  readonly anonymous: Subject | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Of every route that is not public. */
    caller: Caller | undefined;
  }
}

/**
 * Runs before a body is read: whoever may not, learns nothing about what is wrong with it. And again when it has been
 * read, which whoever sends it can draw out: by then a key may be switched off and a role taken.
 */
export function createAuthorizer({ snapshot, authenticate, anonymous }: AuthorizationParts) {
  async function callerFor(request: FastifyRequest): Promise<Caller> {
    const token = tokenIn(request);
    if (token !== undefined) {
      const { subject, accessKey } = await authenticate(token);
      request.accessKey = accessKey;
      return callerOf(snapshot(), subject);
    }
    if (anonymous !== undefined && request.routeOptions.config.anonymous === true) {
      return callerOf(snapshot(), anonymous, { anonymous: true });
    }
    throw new ServiceError(
      'TOKEN_INVALID',
      'This request carries no token: get one by POST /api/token and send it as X-Authorization',
    );
  }

  return async (request: FastifyRequest): Promise<void> => {
    const { permission } = request.routeOptions.config;
    // A path that is not served has no route, and nothing to permit.
    if (request.is404 || permission?.kind === 'public') return;
    if (permission === undefined) throw new Error(`the route ${request.routeOptions.url} states no permission`);
    request.caller = await callerFor(request);
    demand(request.caller, permission, request.params as PathParams, snapshot());
  };
}

function demand(caller: Caller, permission: RoutePermission, params: PathParams, snapshot: Snapshot): void {
  switch (permission.kind) {
    case 'public':
    case 'signed-in':
    case 'by-body':
      return;
    case 'admin':
      if (!caller.isAdmin) refuse(caller, 'the role ADMIN');
      return;
    case 'self':
      if (!caller.isAdmin && params[permission.param] !== caller.id) refuse(caller, 'the role ADMIN');
      return;
    case 'access':
      return demandAccess(caller, permission.access, permission.on(params));
    case 'grantor':
      return demandGrantor(caller, permission.on(params));
    case 'write':
      return demandWrite(snapshot, caller, permission.creates, permission.on(params));
  }
}

/** Asked again when a write is planned: by then there may be a record where none was. */
export function demandWrite(snapshot: Snapshot, caller: Caller, creates: Permission, asked: Asked): void {
  const isNew = recordOf(snapshot, asked).kind === 'absent';
  if (isNew ? caller.has(creates) : caller.may('UPDATE', asked)) return;
  refuse(caller, `UPDATE, or the permission ${creates} where there is none yet,`, asked);
}

export function tokenIn(request: FastifyRequest): string | undefined {
  const given = request.headers['x-authorization'];
  const [token] = Array.isArray(given) ? given : [given];
  return token === undefined || token === '' ? undefined : token.replace(/^Bearer /i, '');
}

/** The caller of a route that is not public. */
export function callerOfRequest(request: FastifyRequest): Caller {
  if (request.caller === undefined) throw new Error('a public route asks for its caller');
  return request.caller;
}

export function anonymousSubject(text: string | undefined): Subject | undefined {
  return text === undefined ? undefined : parseSubject(text);
}
