import type { Cluster, Redis } from 'ioredis';
import { commandTrail } from '../audit/trail.ts';
import { ServiceError } from '../errors.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import type { Keyring } from '../secrets/keyring.ts';
import { visible } from '../visible.ts';
import { type RotatedSecret, type Rotation, rotateSecrets } from './secrets/rotation.ts';
import type { Terminal } from './terminal.ts';
import { type Variables, withRedis } from './with-redis.ts';

export interface RotateCommand {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly keyring: Keyring;
  readonly dryRun: boolean;
  readonly trail: Trail;
  readonly terminal: Terminal;
}

/** `secrets rotate`, on the Redis that the environment names. */
export async function rotate(dryRun: boolean, terminal: Terminal, variables: Variables): Promise<number> {
  return await withRedis(variables, ({ redis, names, config }) =>
    runRotate({
      ...{ redis, names, keyring: config.secrets.keyring, dryRun, terminal },
      trail: commandTrail(names, config.audit.keptForMs, 'secrets rotate'),
    }),
  );
}

/**
 * Brings every secret under the newest of ENCRYPTION_KEYS and says what it did. 0: all are; 1: some could not be. Throws
 * CONFIG_INVALID where there is no key, UNREACHABLE, CATALOG_CHANGED.
 */
export async function runRotate({ redis, names, keyring, dryRun, trail, terminal }: RotateCommand): Promise<number> {
  if (keyring.newest === undefined) {
    throw new ServiceError(
      'CONFIG_INVALID',
      'ENCRYPTION_KEYS: missing; secrets are sealed under its first key. Make one with: ' +
        'export ENCRYPTION_KEYS="k1:$(openssl rand -base64 32)", keep it, and give it to every worker and admin before you rotate',
      { field: 'ENCRYPTION_KEYS' },
    );
  }
  const newest = keyring.newest.id;
  const progress = (looked: number, total: number) => terminal.warn(`${looked} of ${total} records looked at`);
  const rotation = await rotateSecrets({ redis, names, keyring, dryRun, trail, progress });
  const counts = countsOf(rotation);
  for (const secret of rotation.secrets) sayChange(secret, terminal);
  saySum(counts, newest, dryRun, terminal);
  sayKeys(rotation, newest, dryRun && counts.rewrapped > 0, terminal);
  terminal.result({
    dryRun,
    newestKey: newest,
    counts,
    records: rotation.secrets.filter(({ outcome }) => outcome !== 'current' && outcome !== 'reference'),
    unneededKeys: rotation.unneededKeys,
    missingKeys: rotation.missingKeys,
  });
  return counts.failed === 0 ? 0 : 1;
}

type Counts = Readonly<Record<RotatedSecret['outcome'], number>>;

function countsOf({ secrets }: Rotation): Counts {
  const counts = { rewrapped: 0, sealed: 0, current: 0, reference: 0, failed: 0 };
  for (const { outcome } of secrets) counts[outcome] += 1;
  return counts;
}

function sayChange({ key, field, secret, outcome, from, message }: RotatedSecret, terminal: Terminal): void {
  const place = visible([key, field].join(' ') + (secret === '' ? '' : `: ${secret}`));
  if (outcome === 'rewrapped') terminal.say(`${terminal.changed('rewrapped')}  ${place}, from the key ${quoted(from)}`);
  if (outcome === 'sealed') terminal.say(`${terminal.changed('sealed   ')}  ${place}, which stood there bare`);
  if (outcome === 'failed') terminal.say(`${terminal.bad('failed   ')}  ${place}: ${visible(message ?? '')}`);
}

function saySum(counts: Counts, newest: string, dryRun: boolean, terminal: Terminal): void {
  const written = counts.rewrapped + counts.sealed;
  if (written === 0 && counts.failed === 0) {
    terminal.say(terminal.good(`Nothing to do: every sealed secret is under the key ${quoted(newest)}.`));
    return;
  }
  const verb = dryRun ? 'would be brought' : 'brought';
  terminal.say(`\n${secrets(written)} ${verb} under the key ${quoted(newest)}; ${counts.current} already there.`);
  if (counts.failed > 0) terminal.say(terminal.bad(`${secrets(counts.failed)} could not be: see above.`));
  if (dryRun) terminal.say('Nothing was written (--dry-run).');
}

function sayKeys(
  { unneededKeys, missingKeys }: Rotation,
  newest: string,
  onlyAfterwards: boolean,
  terminal: Terminal,
): void {
  if (missingKeys.length > 0) {
    terminal.say(`ENCRYPTION_KEYS lacks ${missingKeys.map(quoted).join(', ')}, which the failed ones need.`);
  }
  if (unneededKeys.length === 0) return;
  const keys = unneededKeys.map(quoted).join(', ');
  terminal.say(
    `${onlyAfterwards ? 'Afterwards no' : 'No'} secret is sealed under ${keys} any more. Once every worker, every admin and whoever runs apply has ${quoted(newest)} first, take ${keys} out of ENCRYPTION_KEYS.`,
  );
}

function secrets(count: number): string {
  return `${count} ${count === 1 ? 'secret' : 'secrets'}`;
}

function quoted(id: string | undefined): string {
  return `"${id ?? ''}"`;
}
