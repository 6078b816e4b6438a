import type { Access, TargetId } from '../rbac/grants.ts';
import type { AccessIndexEdit } from './access/edit.ts';
import type { Intake } from './intake.ts';
import type { MapEdit } from './persistent-map.ts';
import { type BadGrant, readGrant } from './records.ts';
import { accessText } from './shared-grants.ts';

export interface GrantsEdits {
  readonly grants: MapEdit<ReadonlyMap<TargetId, ReadonlySet<Access>>>;
  readonly badGrants: MapEdit<ReadonlyMap<string, BadGrant>>;
  readonly access: AccessIndexEdit;
}

/** The hash of one subject's grants. */
export function grantsIntake(key: string, subject: string, { grants, badGrants, access }: GrantsEdits): Intake {
  const good = new Map<TargetId, ReadonlySet<Access>>();
  const bad = new Map<string, BadGrant>();
  return {
    add(items, from, to) {
      for (let index = from; index < to; index += 2) {
        const [field = '', raw = ''] = [items[index], items[index + 1]];
        const read = readGrant(key, field, raw);
        if (read.kind === 'good') {
          good.set(read.target, read.access);
          if (bad.size > 0) bad.delete(field);
        } else {
          bad.set(field, read);
          good.delete(field as TargetId);
        }
      }
    },
    *close() {
      const before = grants.get(subject);
      yield* put(grants, subject, good, (one, other) => accessText(one) === accessText(other));
      const after = grants.get(subject);
      if (after !== before) yield* access.setGrants(subject, before, after);
      yield* put(badGrants, subject, bad, (one, other) => one.raw === other.raw);
    },
  };
}

function* put<K extends string, V>(
  all: MapEdit<ReadonlyMap<K, V>>,
  subject: string,
  fresh: ReadonlyMap<K, V>,
  isSame: (one: V, other: V) => boolean,
): Iterable<undefined> {
  if (fresh.size === 0) return all.delete(subject);
  const before = all.get(subject);
  let same = before?.size === fresh.size;
  let compared = 0;
  for (const [field, value] of same ? fresh : []) {
    const old = before?.get(field);
    if (old === undefined || !(old === value || isSame(old, value))) same = false;
    if (!same) break;
    compared += 1;
    if (compared % 1_000 === 0) yield;
  }
  if (!same) all.set(subject, fresh);
}
