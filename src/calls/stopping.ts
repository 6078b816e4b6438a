import { ServiceError } from '../errors.ts';

/** What a call hears that comes to a process which ends. */
export function stopping(): ServiceError {
  return new ServiceError('UNREACHABLE', 'This server stops: ask again', { retryAfterSeconds: 1 });
}
