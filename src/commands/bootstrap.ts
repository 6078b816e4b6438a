import type { Cluster, Redis } from 'ioredis';
import { commandTrail } from '../audit/trail.ts';
import { loadSnapshot } from '../catalog/load.ts';
import { bootstrap } from '../identity/bootstrap.ts';
import { loadSigningKey } from '../identity/signing.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { Terminal } from './terminal.ts';
import { type Variables, withRedis } from './with-redis.ts';

/** `bootstrap`, on the Redis that the environment names. */
export async function bootstrapOnce(terminal: Terminal, variables: Variables): Promise<number> {
  return await withRedis(variables, ({ redis, names, config }) =>
    runBootstrap({
      ...{ redis, names, keyring: config.secrets.keyring, terminal },
      trail: commandTrail(names, config.audit.keptForMs, 'bootstrap'),
    }),
  );
}

/**
 * Makes the first administrator's key and prints it, once. Throws CONFIG_INVALID where the API could not start with these
 * ENCRYPTION_KEYS, ALREADY_BOOTSTRAPPED the second time.
 */
export async function runBootstrap({
  redis,
  names,
  keyring,
  trail,
  terminal,
}: {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly keyring: Keyring;
  readonly trail: Trail;
  readonly terminal: Terminal;
}): Promise<number> {
  await loadSigningKey({ redis, names, keyring, trail });
  const key = await bootstrap({ redis, names, snapshot: await loadSnapshot(redis, names), trail });
  terminal.say(`${terminal.good('made')}  an application with the role ADMIN, and its access key:`);
  terminal.say(`  id      ${key.id}`);
  terminal.say(`  secret  ${key.secret}`);
  terminal.say('The secret is kept nowhere and cannot be shown again: put it where only administrators read.');
  terminal.result({ id: key.id, secret: key.secret });
  return 0;
}
