import type { FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors.ts';
import { applicationUser, subjectId } from '../../rbac/subject.ts';
import { API } from '../../telemetry/denials.ts';
import type { AdminParts } from '../parts.ts';
import { routeOf } from './author.ts';
import { tokenIn } from './authorize.ts';

/**
 * What stands for the route where a token proves nobody: whoever sends one chooses the route, and each would be a kind of its
 * own, enough of them to leave no room for the denials of others.
 */
const ANY_ROUTE = 'the admin API';

type Parts = Pick<AdminParts, 'denials' | 'catalog'>;

/**
 * Puts on record who was refused what: a caller who may not, a token that is none of ours, a secret that is not its key's.
 * An expired token is no attempt at anything: clients find out so that it is time for another.
 */
export function recordRefusal({ denials, catalog }: Parts, request: FastifyRequest, error: unknown): void {
  if (!(error instanceof ServiceError) || request.routeOptions.config.recordsDenials === true) return;
  const subject = subjectRefused(catalog, request, error);
  if (subject === undefined) return;
  denials.record({
    subject,
    source: API,
    target: error.code === 'TOKEN_INVALID' ? ANY_ROUTE : routeOf(request),
    missing: missingOf(catalog, request, error),
    mode: 'enforce',
    workflowId: '',
    workflowType: '',
    taskId: '',
  });
}

/** '' where nobody knows who it was; undefined for what is no refusal. */
function subjectRefused(catalog: Parts['catalog'], request: FastifyRequest, error: ServiceError): string | undefined {
  switch (error.code) {
    case 'PERMISSION_DENIED':
      return request.caller === undefined ? '' : subjectId(request.caller.subject);
    case 'TOKEN_INVALID':
      return tokenIn(request) === undefined ? undefined : '';
    case 'ACCESS_KEY_INVALID':
      return ownerOf(catalog, keyIn(request)) ?? '';
    case 'TOO_MANY_REQUESTS':
      return keyIn(request) === undefined ? undefined : (ownerOf(catalog, keyIn(request)) ?? '');
    default:
      return undefined;
  }
}

/** By key, where there is one: an id that is none may be a secret in the wrong place. */
function missingOf(catalog: Parts['catalog'], request: FastifyRequest, { code, message }: ServiceError): string {
  const keyId = keyIn(request);
  if (keyId === undefined) return message;
  const which = ownerOf(catalog, keyId) === undefined ? 'an access key that is not known' : `the access key ${keyId}`;
  return code === 'ACCESS_KEY_INVALID'
    ? `${which}: it is switched off, or its secret is another`
    : `${which}: too many attempts`;
}

function ownerOf({ current }: Parts['catalog'], keyId: string | undefined): string | undefined {
  const key = keyId === undefined ? undefined : current().accessKey(keyId);
  return key === undefined ? undefined : subjectId(applicationUser(key.application));
}

/** The access key with which somebody asks for a token. */
function keyIn({ body, routeOptions }: FastifyRequest): string | undefined {
  if (routeOptions.url !== '/api/token') return undefined;
  const keyId = (body as { keyId?: unknown } | null | undefined)?.keyId;
  return typeof keyId === 'string' ? keyId : undefined;
}
