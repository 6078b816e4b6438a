import { createHmac, hkdfSync, type KeyObject } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors.ts';
import type { Keyring } from '../../secrets/keyring.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes versions of records what nobody outside can compute. */
    versionKey: Buffer;
  }
}

/**
 * Versions of records as ETags (RFC 9110): another text is another version, whoever wrote it and however. Under a key that is
 * derived from the newest of ENCRYPTION_KEYS: from a plain hash somebody who may read a record could find what is masked in it,
 * such as the twelve digits of an account. With another newest key all versions change, and a write that carries an old one is refused.
 */
export function useVersions(app: FastifyInstance, keyring: Keyring): void {
  app.decorate('versionKey', derived(keyring.newest?.key));
  app.addHook('onRequest', async (request) => {
    if (request.headers['if-match'] === undefined || request.routeOptions.config.unversioned !== true) return;
    throw new ServiceError('REQUEST_INVALID', 'If-Match: what this route writes has no version to compare');
  });
}

/** Tells the version of a record with the answer. */
export function tellVersion(reply: FastifyReply, raw: string): void {
  void reply.header('etag', versionOf(reply.server.versionKey, raw));
}

/** Throws PRECONDITION_FAILED where If-Match names another version than what stands there; without it, anything will do. */
export function demandVersion(request: FastifyRequest, raw: string | undefined): void {
  const wanted = request.headers['if-match'];
  if (wanted === undefined) return;
  const versions = wanted.split(',').map((version) => version.trim());
  if (raw !== undefined && (versions.includes('*') || versions.includes(versionOf(request.server.versionKey, raw))))
    return;
  throw new ServiceError(
    'PRECONDITION_FAILED',
    raw === undefined
      ? 'If-Match names a version of a record that does not exist'
      : 'Somebody else has changed the record since: read it again and repeat what you meant to change',
  );
}

export function versionOf(key: Buffer, raw: string): string {
  return `"${createHmac('sha256', key).update(raw).digest('base64url').slice(0, 22)}"`;
}

function derived(key: KeyObject | undefined): Buffer {
  if (key === undefined) throw new ServiceError('CONFIG_INVALID', 'ENCRYPTION_KEYS: missing');
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), 'bedrock-cohere v1 versions', 32));
}
