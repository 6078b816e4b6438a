import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import type { Cluster, Redis } from 'ioredis';
import { commandTrail } from '../audit/trail.ts';
import { messageOf, ServiceError } from '../errors.ts';
import { integrationRecord } from '../integrations/integration.ts';
import { MASK, maskSecrets } from '../integrations/secrets/masks.ts';
import { bareSecrets } from '../integrations/secrets/secret-fields.ts';
import { apply, type Plan } from '../manifests/apply.ts';
import type { Change } from '../manifests/changes.ts';
import { type ManifestSource, parseManifests, type Wanted } from '../manifests/parse.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import type { Keyring } from '../secrets/keyring.ts';
import { flatten, label } from './leaves.ts';
import { type Terminal, visible } from './terminal.ts';
import { type Variables, withRedis } from './with-redis.ts';

export interface ApplyCommand {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly wanted: Wanted;
  /** Seals bare secrets; empty: they are written as they are, with a warning. */
  readonly keyring: Keyring;
  readonly trail: Trail;
  readonly terminal: Terminal;
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly yes: boolean;
  /** Asks a person; undefined where there is none to ask. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
}

/** `apply`, as typed. */
export interface ApplyQuestion extends Pick<ApplyCommand, 'terminal' | 'dryRun' | 'prune' | 'yes' | 'ask'> {
  readonly paths: readonly string[];
}

/** `apply` to the Redis that the environment names. Throws MANIFEST_INVALID before it is touched where a manifest has a fault. */
export async function applyFiles(
  question: ApplyQuestion,
  { stdin, variables }: { readonly stdin: NodeJS.ReadableStream; readonly variables: Variables },
): Promise<number> {
  const wanted = wantedFrom(await readManifestFiles(question.paths, stdin), question.terminal);
  return await withRedis(variables, ({ redis, names, config }) =>
    runApply({
      ...{ ...question, redis, names, keyring: config.secrets.keyring, wanted },
      trail: commandTrail(names, config.audit.keptForMs, 'apply'),
    }),
  );
}

/** Files, folders (their *.yaml and *.yml, by name) or `-` for standard input. Throws USAGE for one that is not there. */
export async function readManifestFiles(
  paths: readonly string[],
  stdin: NodeJS.ReadableStream,
): Promise<ManifestSource[]> {
  const sources: ManifestSource[] = [];
  for (const path of paths) {
    if (path === '-') {
      sources.push({ file: '(standard input)', text: await textOf(stdin) });
      continue;
    }
    try {
      const files = (await stat(path)).isDirectory()
        ? (await readdir(path))
            .filter((name) => /\.ya?ml$/.test(name))
            .sort()
            .map((name) => join(path, name))
        : [path];
      if (files.length === 0) throw new Error('the folder has no *.yaml or *.yml');
      for (const file of files) sources.push({ file, text: await readFile(file, 'utf8') });
    } catch (cause) {
      throw new ServiceError('USAGE', `apply: ${path} cannot be read: ${messageOf(cause)}`, { cause });
    }
  }
  return sources;
}

/** Every fault of every file at once; throws MANIFEST_INVALID where there is one. */
export function wantedFrom(sources: readonly ManifestSource[], terminal: Terminal): Wanted {
  const { wanted, faults } = parseManifests(sources);
  if (faults.length === 0) return wanted;
  for (const { file, line, message } of faults) terminal.warn(`${file}:${line}: ${message}`);
  throw new ServiceError('MANIFEST_INVALID', `${plural(faults.length, 'fault')} in the manifests; nothing was changed`);
}

export async function runApply(command: ApplyCommand): Promise<number> {
  const { redis, names, wanted, keyring, trail, terminal, dryRun, prune } = command;
  if (keyring.newest === undefined) warnOfBareSecrets(wanted, terminal);
  let written = false;
  const plan = await apply({
    redis,
    names,
    wanted,
    keyring,
    trail,
    prune,
    async agree(proposed) {
      sayPlan(proposed, terminal);
      if (dryRun) return false;
      written = await agreed(proposed, command);
      return written;
    },
  });
  if (plan.changes.length === 0) sayKept(plan, terminal);
  if (plan.changes.length === 0) terminal.say('Nothing to change: Redis holds what the manifests say.');
  else if (written) terminal.say(`\n${plural(plan.changes.length, 'change')} written.`);
  else terminal.say(dryRun ? '\nNothing was written (--dry-run).' : '\nNothing was written.');
  terminal.result({ changes: plan.changes.map(shown) });
  return written || dryRun || plan.changes.length === 0 ? 0 : 1;
}

/** Deleting wants a yes; bringing records in does not. */
async function agreed({ changes, swept }: Plan, { yes, ask }: ApplyCommand): Promise<boolean> {
  // What is swept speaks for a record that is no more: to keep it is what would need a yes.
  const deletions = changes.filter((change) => change.action === 'delete' && !swept.includes(change)).length;
  if (deletions === 0 || yes) return true;
  if (ask === undefined) {
    throw new ServiceError(
      'USAGE',
      `apply --prune would delete ${plural(deletions, 'entry', 'entries')}: add --yes to agree; nothing was changed`,
    );
  }
  return await ask(`Delete ${plural(deletions, 'entry', 'entries')}? [y/N] `);
}

function sayPlan(plan: Plan, terminal: Terminal): void {
  for (const change of plan.changes) {
    const { action, kind, name } = change;
    const title = visible(`${kind} ${name}`);
    if (action === 'create') terminal.say(terminal.good(`+ ${title}`));
    else if (plan.swept.includes(change)) terminal.say(terminal.bad(`- ${title} (left behind by an earlier record)`));
    else if (action === 'delete') terminal.say(terminal.bad(`- ${title}`));
    else terminal.say(terminal.changed(`~ ${title}`));
    for (const line of differences(change)) terminal.say(terminal.faint(`    ${line}`));
  }
  sayKept(plan, terminal);
}

function sayKept({ kept }: Plan, terminal: Terminal): void {
  for (const { kind, name } of kept) {
    terminal.warn(`${kind} ${name} stays: without it nobody would have the role ADMIN`);
  }
}

/** A change as it may be shown: secrets masked. A record of Redis that cannot be read may hold one anywhere. */
function shown(change: Change): Change {
  if (change.kind !== 'integrations') return change;
  const { before, after } = change;
  const isReadable = before === null || integrationRecord.safeParse(before).success;
  return { ...change, before: isReadable ? maskSecrets(before) : MASK, after: maskSecrets(after) };
}

/** What differs, as it may be shown: a secret that changes is there, masked on both sides. */
function differences(change: Change): string[] {
  const { action } = change;
  const masked = shown(change);
  const old = flatten(masked.before);
  const fresh = flatten(masked.after);
  if (action === 'delete') return [];
  if (action === 'create') return [...fresh].map(([path, value]) => `${label(path)}${value}`);
  const [oldValues, freshValues] = [flatten(change.before), flatten(change.after)];
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((path) => old.get(path) !== fresh.get(path) || oldValues.get(path) !== freshValues.get(path))
    .map((path) => `${label(path)}${old.get(path) ?? '(absent)'} → ${fresh.get(path) ?? '(absent)'}`);
}

function warnOfBareSecrets(wanted: Wanted, terminal: Terminal): void {
  for (const [name, record] of wanted.records.get('integrations') ?? []) {
    for (const field of bareSecrets(record['configuration'] as Record<string, unknown>)) {
      terminal.warn(
        `integrations ${name}: configuration.${field} is a bare secret and will stand in Redis as it is; set ENCRYPTION_KEYS to have it sealed, or write env:NAME or file:NAME`,
      );
    }
  }
}

function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
