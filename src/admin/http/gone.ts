import type { FastifyReply } from 'fastify';
import { ServiceError } from '../../errors.ts';

/** Aborted when whoever asked has closed the connection before the answer. (`request.signal` hears nothing once the body is read.) */
export function whenGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new ServiceError('UNREACHABLE', 'Whoever asked has gone'));
  });
  return gone.signal;
}
