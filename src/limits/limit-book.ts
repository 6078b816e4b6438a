import type { RecordFault } from '../catalog/records.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { splitQualified } from '../integrations/names.ts';
import { laneOf } from '../integrations/resolve.ts';
import type { Frequency, LimitFields } from '../record-fields.ts';
import { type Account, GROUP_ACCOUNT, INTEGRATION_ACCOUNT, MODEL_ACCOUNT, USER_ACCOUNT } from './accounts.ts';

export const LIMIT_KINDS = ['model', 'integration', 'group', 'application', 'user'] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

/** How many tokens may be put down to one account in a day, a week or a month. */
export interface Limit {
  readonly kind: LimitKind;
  /** The record that sets it: `bedrock-prod:cohere.embed-v4:0`, `bedrock-prod`, `analysts`, `claims`, `alice@example.com`. */
  readonly name: string;
  readonly account: Account;
  readonly frequency: Frequency;
  readonly maxTokens: number;
}

export interface LimitBook {
  /**
   * The limits on these accounts. Throws RECORD_INVALID where a record cannot be read and seems to set one: a subject's, a group's, or
   * that of another model of the same id.
   */
  on(snapshot: Snapshot, accounts: readonly Account[]): readonly Limit[];
  /** The same for one account; of a record that cannot be read none. */
  of(snapshot: Snapshot, account: Account): readonly Limit[];
  /** Every limit that a record sets, as it sets it: those of aliases of one model each for itself. */
  all(snapshot: Snapshot): Iterable<Limit>;
}

const NONE: readonly Limit[] = [];

/** Which limits there are, by the records of a snapshot. */
export function createLimitBook(): LimitBook {
  let known:
    | {
        readonly models: unknown;
        readonly limits: ReadonlyMap<string, readonly Limit[]>;
        readonly broken: readonly Broken[];
      }
    | undefined;

  /** Worked out once for each state of the models. */
  function ofModels(snapshot: Snapshot) {
    const { models } = snapshot.parts.tables;
    if (known?.models !== models)
      known = { models, limits: tightest(modelLimits(snapshot)), broken: [...brokenModels(snapshot)] };
    return known;
  }

  function of(snapshot: Snapshot, account: Account): readonly Limit[] {
    // Of aliases the tightest of each frequency.
    if (account.startsWith(MODEL_ACCOUNT))
      return ofModels(snapshot).limits.get(account.slice(MODEL_ACCOUNT.length)) ?? NONE;
    const set = recordOf(account);
    const found = set === undefined ? undefined : snapshot.lookup(set.table, set.name);
    if (set === undefined || found?.kind !== 'found') return NONE;
    const limit = limitOf(set.kind, set.name, account, found.record);
    return limit === undefined ? NONE : [limit];
  }

  return {
    of,
    on(snapshot, accounts) {
      let limits: Limit[] | undefined;
      for (const account of accounts) {
        for (const limit of of(snapshot, account)) {
          limits ??= [];
          limits.push(limit);
        }
        if (account.startsWith(MODEL_ACCOUNT))
          demandReadableAliases(ofModels(snapshot).broken, account.slice(MODEL_ACCOUNT.length));
        else demandReadable(snapshot, account);
      }
      return limits ?? NONE;
    },
    *all(snapshot) {
      yield* modelLimits(snapshot);
      for (const [kind, table, start] of TABLES) {
        for (const [name, { lookup }] of snapshot.parts.tables[table]) {
          const limit =
            lookup.kind === 'found' ? limitOf(kind, name, `${start}${name}`, lookup.record as LimitFields) : undefined;
          if (limit !== undefined) yield limit;
        }
      }
    },
  };
}

const APPLICATION_ACCOUNT = `${USER_ACCOUNT}app:`;

const TABLES = [
  ['integration', 'integrations', INTEGRATION_ACCOUNT],
  ['group', 'groups', GROUP_ACCOUNT],
  ['application', 'applications', APPLICATION_ACCOUNT],
  ['user', 'users', USER_ACCOUNT],
] as const;

/** The record that may limit an account, a model's apart. */
function recordOf(account: Account) {
  for (const [kind, table, start] of TABLES) {
    if (account.startsWith(start)) return { kind, table, name: account.slice(start.length) };
  }
  return undefined;
}

function limitOf(kind: LimitKind, name: string, account: Account, record: LimitFields): Limit | undefined {
  const { maxTokens, frequency } = record;
  if (maxTokens == null || frequency == null) return undefined;
  return { kind, name, account, frequency, maxTokens };
}

function* modelLimits(snapshot: Snapshot): Iterable<Limit> {
  for (const [name, { lookup }] of snapshot.parts.tables.models) {
    const parts = splitQualified(name);
    if (parts === undefined || lookup.kind !== 'found') continue;
    const lane = laneOf(parts.integration, parts.model, lookup.record);
    const limit = limitOf('model', name, `${MODEL_ACCOUNT}${lane}`, lookup.record);
    if (limit !== undefined) yield limit;
  }
}

function tightest(limits: Iterable<Limit>): ReadonlyMap<string, readonly Limit[]> {
  const lanes = new Map<string, Limit[]>();
  for (const limit of limits) {
    const lane = limit.account.slice(MODEL_ACCOUNT.length);
    const others = lanes.get(lane) ?? [];
    const same = others.findIndex(({ frequency }) => frequency === limit.frequency);
    const held = others[same];
    if (held === undefined) lanes.set(lane, [...others, limit]);
    else if (limit.maxTokens < held.maxTokens) others[same] = limit;
  }
  return lanes;
}

/** Nobody spends without a limit because its record is broken. A call whose integration or model cannot be read fails by itself. */
function demandReadable(snapshot: Snapshot, account: Account): void {
  const set = recordOf(account);
  if (set === undefined || set.kind === 'integration') return;
  const entry = snapshot.parts.tables[set.table].get(set.name);
  if (entry?.lookup.kind !== 'invalid' || !entry.raw.includes('maxTokens')) return;
  throw seemsToLimit(`the ${set.kind} ${set.name} seems to set a token limit`, entry.lookup.fault);
}

/** A model's record that cannot be read, and in whose text a limit stands. */
interface Broken {
  readonly name: string;
  readonly raw: string;
  readonly fault: RecordFault;
}

/** Also those of lanes, which aliases share: see `laneLimits`. */
const LIMITS_OF_MODELS = /maxTokens|maxConcurrency|requestsPerMinute|tokensPerMinute/;

function* brokenModels(snapshot: Snapshot): Iterable<Broken> {
  for (const [name, { lookup, raw }] of snapshot.parts.tables.models) {
    if (lookup.kind === 'invalid' && LIMITS_OF_MODELS.test(raw)) yield { name, raw, fault: lookup.fault };
  }
}

/** Nobody spends by one name of a model because the record of another, which limits both, is broken. */
function demandReadableAliases(broken: readonly Broken[], lane: string): void {
  const [, integration = '', id = ''] = /^([^:]*):(.*)$/s.exec(lane) ?? [];
  for (const { name, raw, fault } of broken) {
    const isAlias = name === lane || (name.startsWith(`${integration}:`) && raw.includes(JSON.stringify(id)));
    if (isAlias) throw seemsToLimit(`the model ${name} seems to set a limit for the same id`, fault);
  }
}

function seemsToLimit(what: string, { key, field, message }: RecordFault): ServiceError {
  const said = `The record of ${what} and cannot be read (${key}, field ${field}: ${message}). An administrator has to mend it`;
  // A model may be named by an ARN, and this is read by whoever runs the other.
  return new ServiceError('RECORD_INVALID', said.replaceAll(/(?<=arn:(?:[^:\s]*:){3})\d{12}(?=:)/g, '…'));
}
