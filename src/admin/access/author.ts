import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Author } from '../../audit/author.ts';
import { subjectId } from '../../rbac/subject.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The id of the access key that made the caller's token. */
    accessKey: string | undefined;
  }
}

const authors = new AsyncLocalStorage<Author>();

/**
 * Keeps, for as long as a request is handled, whose it is, so that no handler can forget to say so. Its hook has to be the
 * last before the handlers: by then the caller stands.
 */
export function keepAuthors(app: FastifyInstance): void {
  app.decorateRequest('accessKey', undefined);
  app.addHook('preHandler', (request, _reply, done) => authors.run(authorOf(request), done));
}

/** Whose request is being handled. */
export function currentAuthor(): Author {
  const author = authors.getStore();
  if (author === undefined) throw new Error('a change is made outside of any request');
  return author;
}

function authorOf(request: FastifyRequest): Author {
  const { caller, accessKey } = request;
  return {
    change: randomUUID(),
    subject: caller === undefined ? undefined : subjectId(caller.subject),
    accessKey,
    via: routeOf(request),
    label: undefined,
  };
}

/** As the API's own description names it: `PUT /api/groups/{id}`. */
export function routeOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${(routeOptions.url ?? '').replaceAll(/:(\w+)/g, '{$1}')}`;
}
