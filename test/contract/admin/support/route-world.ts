import { Redis } from 'ioredis';
import { vi } from 'vitest';
import { keyNames } from '../../../../src/redis/keys.ts';
import { type Client, type RunningAdmin, type Somebody, startAdminServer } from '../../../support/admin.ts';

/** Who calls: nobody, an application with one role or none, who created the thing, who holds one access on it. */
export const KINDS = [
  ...(['nobody', 'ADMIN', 'USER', 'METADATA_MANAGER', 'USER_READ_ONLY', 'no roles'] as const),
  ...(['creator', 'READ', 'UPDATE', 'EXECUTE', 'DELETE'] as const),
] as const;
export type Kind = (typeof KINDS)[number];

/** One call: a caller, and things (`i…`, `p…`, `g…`, …) that no other call touches. */
export interface Cell {
  readonly id: string;
  readonly userId: string;
  readonly key: { readonly id: string; readonly secret: string };
}

export interface RouteWorld {
  readonly server: RunningAdmin;
  callerOf(kind: Kind): Client;
  cellOf(row: number, kind: Kind): Cell;
  stop(): Promise<void>;
}

const CONFIGURATION = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };
const ALL = 'CREATE,READ,EXECUTE,UPDATE,DELETE';

/** A server, somebody of each kind, and things for so many rows times each of them. */
export async function startRouteWorld(redisUrl: string, rows: number): Promise<RouteWorld> {
  const server = await startAdminServer(redisUrl);
  const callers = new Map<Kind, Somebody>();
  for (const kind of KINDS) {
    if (kind === 'nobody') continue;
    const hasRole = ['ADMIN', 'USER', 'METADATA_MANAGER', 'USER_READ_ONLY'].includes(kind);
    callers.set(kind, await server.somebody(kind, hasRole ? [kind] : []));
  }
  const of = (kind: Kind): Somebody => {
    const caller = callers.get(kind);
    if (caller === undefined) throw new Error(`there is no ${kind}`);
    return caller;
  };

  const redis = new Redis(redisUrl);
  const names = keyNames(server.prefix);
  const pipeline = redis.pipeline();
  const createdBy = of('creator').userId;
  const ids = Array.from({ length: rows }, (_, row) => KINDS.map((kind) => idOf(row, kind))).flat();
  for (const id of ids) {
    const put = (kind: Parameters<typeof names.hash>[0], name: string, record: object) =>
      pipeline.hset(names.hash(kind), name, JSON.stringify(record));
    put('integrations', `i${id}`, { type: 'aws_bedrock_cohere', createdBy, configuration: CONFIGURATION });
    put('models', `i${id}:m`, { createdBy });
    put('prompts', `p${id}`, { template: 'Hi', versions: { 2: { template: 'Hi' } }, createdBy });
    put('groups', `g${id}`, {});
    put('users', `u${id}`, {});
    put('roles', `r${id}`, {});
    put('applications', `a${id}`, { name: 'a', uid: 'u', createdBy });
    put('access-keys', `k${id}`, { application: `a${id}`, applicationUid: 'u', enabled: true, createdAt: 0 });
    const created = names.grants(`USER:${createdBy}`);
    pipeline.hset(created, `INTEGRATION_PROVIDER:i${id}`, ALL, `INTEGRATION:i${id}:m`, ALL, `PROMPT:p${id}`, ALL);
    for (const access of ['READ', 'UPDATE', 'EXECUTE', 'DELETE'] as const) {
      const targets = [`INTEGRATION_PROVIDER:i${id}`, `PROMPT:p${id}`, `APPLICATION:a${id}`];
      pipeline.hset(names.grants(`USER:${of(access).userId}`), ...targets.flatMap((target) => [target, access]));
    }
  }
  await pipeline.exec();
  redis.disconnect();
  // All of it is known once the last of each is.
  const holder = of('DELETE');
  await vi.waitFor(
    async () => {
      const last = await server.admin.get(`/api/applications/key/k${ids.at(-1)}`);
      const held = await holder.get(`/api/users/${holder.userId}/permissions`);
      if (last.status !== 200 || held.body.grantedAccess.length < ids.length * 3) throw new Error('not known yet');
    },
    { timeout: 10_000 },
  );

  return {
    server,
    callerOf: (kind) => (kind === 'nobody' ? server.client() : of(kind)),
    cellOf: (row, kind) => {
      const caller = kind === 'nobody' ? of('ADMIN') : of(kind);
      return { id: idOf(row, kind), userId: caller.userId, key: caller.key };
    },
    stop: () => server.stop(),
  };
}

function idOf(row: number, kind: Kind): string {
  return `${row}-${kind.replace(' ', '-')}`;
}
