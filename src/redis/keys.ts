/** Names of all Redis keys, and nothing else. Shown with the default prefix `cohere:` in `docs/redis.md`. */

/** What administrators write, in manifests too: hashes of JSON records, one field a record. */
export const MANIFEST_KINDS = [
  'integrations',
  'models',
  'prompts',
  'groups',
  'applications',
  'users',
  'roles',
] as const;
export type ManifestKind = (typeof MANIFEST_KINDS)[number];

/** All hashes of JSON records: also those by which tokens are proved, which only commands and the API write. */
export const HASH_KINDS = [...MANIFEST_KINDS, 'access-keys', 'token-keys'] as const;
export type HashKind = (typeof HASH_KINDS)[number];

/** Where a key of the catalog belongs: a hash of records, the members of one group, or the grants of one subject. */
export type CatalogKey =
  | { readonly kind: HashKind }
  | { readonly kind: 'members'; readonly group: string }
  | { readonly kind: 'grants'; readonly subject: string };

export interface KeyNames {
  readonly prefix: string;
  hash(kind: HashKind): string;
  members(group: string): string;
  /** `subject` is `USER:alice`, `USER:app:claims`, `GROUP:analysts` or `ROLE:reader`. */
  grants(subject: string): string;
  /** Patterns of the keys that exist once a group or a subject, for SCAN. */
  readonly familyPatterns: readonly string[];
  /** Key prefixes whose changes a worker must hear of: definitions and the canary, no other runtime key: those change all the time. */
  readonly trackedPrefixes: readonly string[];
  /** Undefined for a key that is not part of the catalog. */
  parse(key: string): CatalogKey | undefined;
  /** Written so that all workers hear of it: see `src/catalog/canary.ts`. */
  readonly canary: string;
  /** Stream of changes: see `trail.ts`. */
  readonly audit: string;
  /** Stream of denials. */
  readonly denials: string;
  readonly ledger: LedgerKeys;
  lane(lane: string): LaneKeys;
  /** Answers that are kept of one model (`provider:model`). */
  answers(model: string): AnswerKeys;
  /** Set of the lanes that have tickets. */
  readonly waiting: string;
  /** The one workflow instance that a token made for a single one is for, by the token's `jti`. */
  tokenPin(jti: string): string;
  readonly usage: UsageKeys;
  readonly admin: AdminKeys;
}

/** What models were used, by day (`2026-11-26`, UTC): see `src/telemetry/usage.ts`. */
export interface UsageKeys {
  /** Hash: `[integration, model, kind]` → count. */
  totals(day: string): string;
  /** Hash: `[subject, integration, model, kind]` → count. */
  subjects(day: string): string;
  /** Hash: account (see `src/limits/accounts.ts`) → tokens of one period: `2026-11-26`, `2026-W48` or `2026-11`. */
  spent(period: string): string;
  /** Hash: `[account, maxTokens]` → JSON of the warning that a limit is nearly used up. */
  warnings(period: string): string;
  /** That this batch of counts was written, for ten minutes. */
  written(batch: string): string;
}

/** What only commands and the API read: a worker's Redis user has no right to them. */
export interface AdminKeys {
  /** Hash: key id of a token key → its private key, sealed. */
  readonly signing: string;
  /** Hash: access key id → the hash of its secret. */
  readonly keyHashes: string;
  /** Hash: `accessKey` and `at` of the first administrator's key. */
  readonly bootstrap: string;
}

/** What workers hold, and who they are: see `src/cluster/ledger-store.ts`. */
export interface LedgerKeys {
  /** Sorted set: incarnation → when it was last heard, in ms of Redis' clock; 0: its claims are for the taking. */
  readonly workers: string;
  /** When this Redis began to know of workers, in ms of its clock, to the microsecond: another value means that it forgot. */
  readonly epoch: string;
  /** `run-id since`: which server this is, and since when, in ms of its clock; 0: since before there was another. */
  readonly primary: string;
  /** Hash of what an incarnation holds: task id → JSON. */
  held(incarnation: string): string;
  /** `pollCount incarnation`: whose a task is; `pollCount released by incarnation`: which poll of it nobody may claim again. */
  claim(taskId: string): string;
  /** JSON of an answer that Conductor has not confirmed. */
  answer(taskId: string): string;
  /** JSON of a task's place in its lane. */
  ticket(taskId: string): string;
  /** Hash: incarnation → `first latest`: when it was suspected of tasks that it polled and lost, in ms of Redis' clock. */
  readonly suspects: string;
  /** Which incarnation looks for lost tasks. */
  readonly sweep: string;
}

/** See `src/cluster/answer-cache.ts`. */
export interface AnswerKeys {
  /** Hash: digest → when it expires, by Redis' clock, in 13 digits of ms, and JSON; besides `records` and `bytes`. */
  readonly values: string;
  /** Sorted set: digest → when it expires. */
  readonly expiries: string;
}

/** What replicas share about one lane: see `src/cluster/lane-store.ts`. */
export interface LaneKeys {
  /** Sorted set: lease id → when it lapses, by Redis' clock. */
  readonly leases: string;
  /** Hash: worker → when it last asked in vain, since when, and for how many places. */
  readonly askers: string;
  /** Hash: requests and tokens of each second. */
  readonly rates: string;
  /** Hash: what throttling leaves of the lane. */
  readonly throttle: string;
  /** Sorted set: task id → its place. */
  readonly tickets: string;
  /** Sorted set: task id → when it comes back, by Redis' clock. */
  readonly due: string;
}

export function keyNames(prefix: string): KeyNames {
  const hashes = new Map<string, HashKind>(HASH_KINDS.map((kind) => [`${prefix}${kind}`, kind]));
  const members = `${prefix}members:`;
  const grants = `${prefix}grants:`;
  const canary = `${prefix}run:canary`;
  return {
    prefix,
    hash: (kind) => `${prefix}${kind}`,
    members: (group) => `${members}${group}`,
    grants: (subject) => `${grants}${subject}`,
    familyPatterns: [`${escapeGlob(members)}*`, `${escapeGlob(grants)}*`],
    trackedPrefixes: [...hashes.keys(), members, grants, canary],
    parse(key) {
      const kind = hashes.get(key);
      if (kind !== undefined) return { kind };
      if (key.startsWith(members)) return { kind: 'members', group: key.slice(members.length) };
      if (key.startsWith(grants)) return { kind: 'grants', subject: key.slice(grants.length) };
      return undefined;
    },
    canary,
    audit: `${prefix}audit`,
    denials: `${prefix}run:denials`,
    ledger: ledgerKeys(`${prefix}run:`),
    lane: (lane) => laneKeys(`${prefix}run:lane:${lane}:`),
    answers: (model) => ({
      values: `${prefix}run:cache:${model}:values`,
      expiries: `${prefix}run:cache:${model}:expiries`,
    }),
    waiting: `${prefix}run:waiting`,
    tokenPin: (jti) => `${prefix}run:token:${jti}`,
    usage: {
      totals: (day) => `${prefix}run:usage:${day}`,
      subjects: (day) => `${prefix}run:usage:${day}:subjects`,
      spent: (period) => `${prefix}run:spent:${period}`,
      warnings: (period) => `${prefix}run:limit-warnings:${period}`,
      written: (batch) => `${prefix}run:usage-written:${batch}`,
    },
    admin: {
      signing: `${prefix}admin:signing`,
      keyHashes: `${prefix}admin:key-hashes`,
      bootstrap: `${prefix}admin:bootstrap`,
    },
  };
}

function laneKeys(start: string): LaneKeys {
  return {
    leases: `${start}leases`,
    askers: `${start}askers`,
    rates: `${start}rates`,
    throttle: `${start}throttle`,
    tickets: `${start}tickets`,
    due: `${start}due`,
  };
}

function ledgerKeys(run: string): LedgerKeys {
  return {
    workers: `${run}workers`,
    epoch: `${run}epoch`,
    primary: `${run}primary`,
    held: (incarnation) => `${run}held:${incarnation}`,
    claim: (taskId) => `${run}claim:${taskId}`,
    answer: (taskId) => `${run}answer:${taskId}`,
    ticket: (taskId) => `${run}ticket:${taskId}`,
    suspects: `${run}suspects`,
    sweep: `${run}sweep`,
  };
}

/** A text that a pattern of Redis' matches as it is. */
export function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, (character) => `\\${character}`);
}
