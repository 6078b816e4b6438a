import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { isAdmin } from '../rbac/decision.ts';
import { applicationUser } from '../rbac/subject.ts';
import { commit } from '../redis/commit.ts';
import { ANY } from '../redis/edits.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import { hashSecret, type NewAccessKey, newAccessKey } from './access-keys.ts';
import { keyEdits } from './key-store.ts';

export interface BootstrapParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  /** The records as they are now. */
  readonly snapshot: Snapshot;
  readonly trail: Trail;
}

/**
 * The first administrator: an application with the role ADMIN and an access key of its own, once. Throws
 * ALREADY_BOOTSTRAPPED, with what to do, where that was done or an administrator's key works.
 */
export async function bootstrap({ redis, names, snapshot, trail }: BootstrapParts): Promise<NewAccessKey> {
  const working = workingAdminKeys(snapshot);
  if (working.length > 0) throw alreadyDone(names, working);
  const key = newAccessKey();
  const hash = await hashSecret(key.secret);
  const application = { id: randomUUID(), uid: randomUUID() };
  const at = Date.now();
  const record = {
    id: application.id,
    name: 'Bootstrap administrator',
    uid: application.uid,
    roles: ['ADMIN'],
    createTime: at,
  };
  const marker = names.admin.bootstrap;
  const edits = [
    { key: marker, field: 'accessKey', before: undefined, after: key.id },
    { key: marker, field: 'at', before: ANY, after: new Date(at).toISOString() },
    { key: names.hash('applications'), field: application.id, before: undefined, after: JSON.stringify(record) },
    ...keyEdits(names, { key, hash, application, by: 'bootstrap' }),
  ] as const;
  const isFirst = await commit(redis, edits, trail);
  if (!isFirst) throw alreadyDone(names, []);
  return key;
}

/** Ids of the keys that are switched on and of an application with the role ADMIN, its own or a group's. */
function workingAdminKeys(snapshot: Snapshot): string[] {
  return [...snapshot.names('access-keys')].filter((id) => {
    const key = snapshot.accessKey(id);
    return key?.enabled === true && isAdmin(snapshot, applicationUser(key.application));
  });
}

const NAMED_AT_MOST = 5;

function alreadyDone(names: KeyNames, working: readonly string[]): ServiceError {
  const keys = working.slice(0, NAMED_AT_MOST);
  const forget = [
    ...(keys.length > 0 ? [`redis-cli HDEL ${names.hash('access-keys')} ${keys.join(' ')}`] : []),
    `redis-cli DEL ${names.admin.bootstrap}`,
  ];
  return new ServiceError(
    'ALREADY_BOOTSTRAPPED',
    'There is an administrator’s access key already. For another, an administrator calls ' +
      'POST /api/applications/{id}/accessKeys with a token of theirs. ' +
      `Where every such key is lost: ${forget.join(' && ')}, then bootstrap again`,
  );
}
