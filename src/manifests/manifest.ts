import { MANIFEST_KINDS, type ManifestKind } from '../redis/keys.ts';

/** Where a person would look for something; lines and columns from 1, as editors count. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something wrong in a manifest. */
export interface ManifestFault extends Place {
  /** The record, as `wanted.places` names it; '' for what is wrong with no single one. */
  readonly record: string;
  /** Repeats no value: it may be a secret. */
  readonly message: string;
}

/** A name in a manifest that only means something where there is a record of it. */
export interface NamedRecord extends Place {
  /** Who names it, as `wanted.places` does. */
  readonly record: string;
  readonly kind: ManifestKind;
  readonly name: string;
}

/** A role that a manifest gives to somebody, or makes a grant to. It needs no record. */
export interface NamedRole extends Place {
  readonly record: string;
  readonly role: string;
  readonly by: 'holder' | 'grant';
}

/** What manifests say Redis should hold, in the form in which Redis holds it. */
export interface Wanted {
  /** Kind → name → the record as it will be written. */
  readonly records: ReadonlyMap<ManifestKind, ReadonlyMap<string, Readonly<Record<string, unknown>>>>;
  /** Group → its members, of those groups whose manifest lists members. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** Subject → target → access, as `READ,EXECUTE`. */
  readonly grants: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The top-level maps that some manifest has: `--prune` touches no other kind. */
  readonly kinds: ReadonlySet<ManifestKind | 'grants'>;
  readonly references: readonly NamedRecord[];
  readonly roles: readonly NamedRole[];
  /** Where each record stands: `users.alice`, or `the grant of GROUP:g on PROMPT:p`. */
  readonly places: ReadonlyMap<string, Place>;
  /** Where each mask stands that is to keep a stored value: `integrations.NAME.configuration.FIELD`. */
  readonly masks: ReadonlyMap<string, Place>;
}

export interface ManifestSource {
  /** Shown in faults. */
  readonly file: string;
  readonly text: string;
}

/** The top-level maps of a manifest. */
export const SECTIONS = [...MANIFEST_KINDS, 'grants'] as const;
export type Section = (typeof SECTIONS)[number];
