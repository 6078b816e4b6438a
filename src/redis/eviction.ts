import { Cluster, type Redis } from 'ioredis';
import type { Logger } from 'pino';

/** What a full Redis does to keys is called a policy; this one drops none. */
const NO_EVICTION = 'noeviction';

/**
 * The `maxmemory-policy` of a Redis that may drop keys when it is full, of a Cluster the first such among its primaries;
 * undefined where none does, or none tells. From INFO: CONFIG is often forbidden. Never rejects.
 */
export async function evictionPolicy(redis: Redis | Cluster): Promise<string | undefined> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis];
  const told = await Promise.all(
    nodes.map((node) =>
      node.info('memory').then(
        (info) => /^maxmemory_policy:(\S+)/m.exec(info)?.[1],
        () => undefined,
      ),
    ),
  );
  return told.find((policy) => policy !== undefined && policy !== NO_EVICTION);
}

/**
 * Warns where a full Redis would drop records, grants, claims and answers: once for each policy, whenever the
 * connection comes up, since another server may be behind it then. Answers how to end it, which waits for a look that
 * is under way.
 */
export function warnUnlessNoEviction(redis: Redis | Cluster, log: Logger): () => Promise<void> {
  const said = new Set<string>();
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const policy = await evictionPolicy(redis);
    if (policy === undefined || said.has(policy)) return;
    said.add(policy);
    log.warn({ policy }, "Redis' maxmemory-policy is not noeviction: when full it drops records, grants and claims");
  }
  const onReady = (): void => {
    looking = look();
  };

  redis.on('ready', onReady);
  if (redis.status === 'ready') onReady();
  return async () => {
    redis.off('ready', onReady);
    await looking;
  };
}
