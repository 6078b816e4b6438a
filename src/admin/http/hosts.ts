import type { FastifyInstance } from 'fastify';
import { plainProblem, sendRaw } from './problem.ts';

/**
 * Refuses requests to a name that is not ours, with 421: a page elsewhere that has its own name resolved to this address
 * (DNS rebinding) would else speak to the API from an administrator's browser. Probes are let through: they tell nothing.
 */
export function checkHosts(app: FastifyInstance, allowed: readonly string[]): void {
  const names = new Set(['localhost', ...allowed].map((name) => name.toLowerCase()));
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.anyHost === true || names.has(hostOf(request.headers.host))) return;
    await sendRaw(
      reply,
      plainProblem(421, 'This host name is not served here: an operator adds it to ADMIN_ALLOWED_HOSTS'),
    );
  });
}

/** Without the port; an IPv6 address without its brackets. */
function hostOf(header: string | undefined): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(header ?? '') ?? [];
  return (bracketed ?? plain ?? '').toLowerCase();
}
