import { type FastifyBaseLogger, type FastifyInstance, fastify, type RouteOptions } from 'fastify';
import { ServiceError } from '../errors.ts';
import { keepAuthors } from './access/author.ts';
import { createAuthorizer } from './access/authorize.ts';
import { recordRefusal } from './access/refusals.ts';
import type { RoutePermission } from './access/route-permission.ts';
import { BODY_LIMIT, readBodies } from './http/bodies.ts';
import { checkHosts } from './http/hosts.ts';
import { describeApi, OPENAPI_PATH } from './http/openapi.ts';
import { plainProblem, sendProblem, sendRaw } from './http/problem.ts';
import { useSchemas } from './http/schemas.ts';
import { useVersions } from './http/versions.ts';
import type { AdminParts } from './parts.ts';
import { routes } from './routes/index.ts';

/** What is known of Redis may be so old, in milliseconds; then nothing is decided on it any more. */
export const STALE_AT_MOST_MS = 10_000;

export interface StatedRoute {
  readonly method: string;
  readonly url: string;
  readonly permission: RoutePermission;
  readonly anonymous: boolean;
}

export interface AdminServer {
  readonly app: FastifyInstance;
  /** Every route with what it needs, HEAD apart. */
  readonly stated: readonly StatedRoute[];
}

/** Built, not listening, with these routes (default: all there are). Throws where one states no permission. */
export async function buildServer(parts: AdminParts, served = routes(parts)): Promise<AdminServer> {
  const app: FastifyInstance = fastify({
    loggerInstance: parts.log as FastifyBaseLogger,
    disableRequestLogging: true,
    bodyLimit: BODY_LIMIT,
    exposeHeadRoutes: false,
    requestTimeout: 60_000,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4_096 },
    trustProxy: [...parts.trustedProxies],
    // What the router itself refuses, such as a path that is no text.
    frameworkErrors: (error, request, reply) => void sendProblem(request, reply, error),
  });
  const stated: StatedRoute[] = [];
  app.addHook('onRoute', (route) => void stated.push(...statedBy(route)));
  app.decorateRequest('caller', undefined);
  useSchemas(app);
  useVersions(app, parts.keyring);
  readBodies(app);
  app.setErrorHandler(async (error, request, reply) => {
    recordRefusal(parts, request, error);
    await sendProblem(request, reply, error);
  });
  app.setNotFoundHandler(async (request, reply) =>
    sendRaw(
      reply,
      plainProblem(404, `${request.method} ${request.url.split('?')[0]} is not served: see ${OPENAPI_PATH}`),
    ),
  );
  checkHosts(app, parts.allowedHosts);
  app.addHook('onRequest', async (request) => {
    const isPublic = request.is404 || request.routeOptions.config.permission?.kind === 'public';
    const stale = parts.catalog.staleForMs() ?? 0;
    if (isPublic || (parts.catalog.loaded() && stale < STALE_AT_MOST_MS)) return;
    throw new ServiceError('UNREACHABLE', 'Redis does not answer: what is known of it may be out of date');
  });
  const authorize = createAuthorizer({
    snapshot: () => parts.catalog.current(),
    authenticate: parts.authenticate,
    anonymous: parts.anonymous,
  });
  app.addHook('onRequest', authorize);
  app.addHook('preValidation', async (request) => {
    if (request.body !== undefined) await authorize(request);
  });
  keepAuthors(app);
  letConnectionsEnd(app);
  await describeApi(app, parts.version);
  await app.register(served);
  await app.ready();
  return { app, stated };
}

/** A connection whose request is answered while the server closes would else be kept open for the next one, and the server with it. */
function letConnectionsEnd(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onSend', async (_request, reply) => {
    if (closing) void reply.header('connection', 'close');
  });
}

function statedBy(route: RouteOptions): StatedRoute[] {
  const config = route.config ?? {};
  // The pages that show the API's description, from a package of their own.
  const permission: RoutePermission | undefined = route.url.startsWith('/docs')
    ? { kind: 'public' }
    : config.permission;
  if (permission === undefined) throw new Error(`${String(route.method)} ${route.url} states no permission`);
  route.config = { ...config, permission };
  return [route.method].flat().map((method) => ({
    method,
    url: route.url,
    permission,
    anonymous: config.anonymous === true,
  }));
}
