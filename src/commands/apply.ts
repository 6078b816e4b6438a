import { commandTrail } from '../audit/trail.ts';
import { loadSnapshot } from '../catalog/load.ts';
import { ServiceError } from '../errors.ts';
import { MASK } from '../integrations/secrets/masks.ts';
import { bareSecrets } from '../integrations/secrets/secret-fields.ts';
import { apply } from '../manifests/apply.ts';
import { danglingReferences } from '../manifests/dangling.ts';
import type { ManifestFault, Wanted } from '../manifests/manifest.ts';
import { parseManifests } from '../manifests/parse.ts';
import { type ShownPlan, shownPlan } from '../manifests/shown-plan.ts';
import { apiTarget } from './apply/api-target.ts';
import type { ApplyTarget } from './apply/apply-target.ts';
import { readManifestFiles, refuseFaults } from './apply/manifest-files.ts';
import { sayPlan, sayRemarks } from './apply/say-plan.ts';
import { plural, type Terminal } from './terminal.ts';
import { type Installation, type Variables, withRedis } from './with-redis.ts';

/** `apply`, as typed. */
export interface ApplyQuestion {
  readonly paths: readonly string[];
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly yes: boolean;
  /** Asks a person; undefined where there is none to ask. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
  readonly terminal: Terminal;
  /** The admin API to go through; undefined: Redis itself. */
  readonly server?: string | undefined;
  /** The access key that goes with `server`; its secret is in the environment. */
  readonly keyId?: string | undefined;
}

/**
 * `apply` to the Redis that the environment names, or through an admin API. Throws MANIFEST_INVALID, and nothing is changed, where a manifest has
 * a fault: all of them are listed, those against the records of Redis too where it can be reached.
 */
export async function applyFiles(
  question: ApplyQuestion,
  { stdin, variables }: { readonly stdin: NodeJS.ReadableStream; readonly variables: Variables },
): Promise<number> {
  const { terminal, prune, server, keyId } = question;
  if (server === undefined && keyId !== undefined)
    throw new ServiceError('USAGE', 'apply: --key-id goes with --server');
  const { wanted, faults } = parseManifests(await readManifestFiles(question.paths, stdin));
  if (wanted.kinds.size === 0 && faults.length === 0) terminal.warn('no manifest names any record');
  if (server !== undefined) {
    const api = apiTarget({ server, keyId, variables, wanted, prune, dryRun: question.dryRun, terminal });
    if (faults.length > 0) refuseFaults([...faults, ...(await faultsThere(api, wanted))], terminal);
    return await runApply(question, api);
  }
  if (faults.length > 0) refuseFaults([...faults, ...(await danglingIn(wanted, variables))], terminal);
  return await withRedis(variables, async (installation) => {
    if (installation.config.secrets.keyring.newest === undefined) warnOfBareSecrets(wanted, terminal);
    return await runApply(question, redisTarget(installation, wanted, prune));
  });
}

export async function runApply(question: ApplyQuestion, target: ApplyTarget): Promise<number> {
  const { terminal, dryRun } = question;
  let written = false;
  const { plan, faults } = await target.bring(async (proposed) => {
    sayPlan(proposed, terminal);
    if (dryRun) return false;
    written = await agreed(proposed, question);
    return written;
  });
  refuseFaults(faults, terminal);
  const { changes } = plan;
  if (changes.length === 0) {
    sayRemarks(plan, terminal);
    terminal.say(`Nothing to change: ${target.name} holds what the manifests say.`);
  } else if (written) terminal.say(`\n${plural(changes.length, 'change')} written.`);
  else terminal.say(dryRun ? '\nNothing was written (--dry-run).' : '\nNothing was written.');
  terminal.result({
    changes: changes.map(({ action, kind, name, before, after }) => ({ action, kind, name, before, after })),
  });
  return written || dryRun || changes.length === 0 ? 0 : 1;
}

function redisTarget({ redis, names, config }: Installation, wanted: Wanted, prune: boolean): ApplyTarget {
  const { keyring } = config.secrets;
  const trail = commandTrail(names, config.audit.keptForMs, 'apply');
  return {
    name: 'Redis',
    async bring(agree) {
      const plan = await apply({
        redis,
        names,
        wanted,
        keyring,
        trail,
        prune,
        agree: (made) => agree(shownPlan(made)),
      });
      return { plan: shownPlan(plan), faults: plan.dangling };
    },
  };
}

function danglingIn(wanted: Wanted, variables: Variables): Promise<readonly ManifestFault[]> {
  return orNone(
    withRedis(variables, async ({ redis, names }) => danglingReferences(await loadSnapshot(redis, names), wanted, [])),
  );
}

/** What the server finds in what could be read: it is not told of a record with a fault, and must not blame those that name it. */
async function faultsThere(
  api: ApplyTarget,
  { records, places, references }: Wanted,
): Promise<readonly ManifestFault[]> {
  const blamed = references
    .filter(({ kind, name }) => places.has(`${kind}.${name}`) && !records.get(kind)?.has(name))
    .map(({ record }) => record);
  const faults = await orNone(api.bring(async () => false).then((outcome) => outcome.faults));
  return faults.filter(({ record }) => !blamed.includes(record));
}

/** None where Redis or the server does not answer: the other faults are said all the same. */
async function orNone(found: Promise<readonly ManifestFault[]>): Promise<readonly ManifestFault[]> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ServiceError) return [];
    throw error;
  }
}

/** Deleting wants a yes; bringing records in does not. */
async function agreed({ changes }: ShownPlan, { yes, ask }: ApplyQuestion): Promise<boolean> {
  // What is left behind speaks for a record that is no more: to keep it is what would need a yes.
  const deletions = changes.filter(({ action, leftBehind }) => action === 'delete' && !leftBehind).length;
  if (deletions === 0 || yes) return true;
  if (ask === undefined) {
    throw new ServiceError(
      'USAGE',
      `apply --prune would delete ${plural(deletions, 'entry', 'entries')}: add --yes to agree; nothing was changed`,
    );
  }
  return await ask(`Delete ${plural(deletions, 'entry', 'entries')}? [y/N] `);
}

function warnOfBareSecrets(wanted: Wanted, terminal: Terminal): void {
  for (const [name, record] of wanted.records.get('integrations') ?? []) {
    const configuration = record['configuration'] as Record<string, unknown>;
    for (const field of bareSecrets(configuration).filter((each) => configuration[each] !== MASK)) {
      terminal.warn(
        `integrations ${name}: configuration.${field} is a bare secret and will stand in Redis as it is; set ENCRYPTION_KEYS to have it sealed, or write env:NAME or file:NAME`,
      );
    }
  }
}
