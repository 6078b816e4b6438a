/** Names of all Redis keys, and nothing else. Shown with the default prefix `cohere:` in `docs/redis.md`. */

/** Hashes of JSON records, one field a record. */
export const HASH_KINDS = ['integrations', 'models', 'prompts', 'groups', 'applications', 'users', 'roles'] as const;
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
  /** Key prefixes whose changes a worker must hear of: definitions only, never the runtime keys, which change all the time. */
  readonly trackedPrefixes: readonly string[];
  /** Undefined for a key that is not part of the catalog. */
  parse(key: string): CatalogKey | undefined;
  /** Stream of denials. */
  readonly denials: string;
}

export function keyNames(prefix: string): KeyNames {
  const hashes = new Map<string, HashKind>(HASH_KINDS.map((kind) => [`${prefix}${kind}`, kind]));
  const members = `${prefix}members:`;
  const grants = `${prefix}grants:`;
  return {
    prefix,
    hash: (kind) => `${prefix}${kind}`,
    members: (group) => `${members}${group}`,
    grants: (subject) => `${grants}${subject}`,
    familyPatterns: [`${escapeGlob(members)}*`, `${escapeGlob(grants)}*`],
    trackedPrefixes: [...hashes.keys(), members, grants],
    parse(key) {
      const kind = hashes.get(key);
      if (kind !== undefined) return { kind };
      if (key.startsWith(members)) return { kind: 'members', group: key.slice(members.length) };
      if (key.startsWith(grants)) return { kind: 'grants', subject: key.slice(grants.length) };
      return undefined;
    },
    denials: `${prefix}run:denials`,
  };
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, (character) => `\\${character}`);
}
