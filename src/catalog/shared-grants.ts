import { type Access, parseAccess, type TargetId, targetFault } from '../rbac/grants.ts';

/**
 * A million grants name a thousand targets and write their access in a few ways: each is kept once. Both tables are
 * bounded, since nothing says when the last grant that names a target is gone; what is left out is only not shared.
 */
const TARGETS_AT_MOST = 100_000;
const TEXTS_AT_MOST = 1_000;

const targets = new Map<string, TargetId>();
const accesses = new Map<string, ReadonlySet<Access>>();
const texts = new WeakMap<ReadonlySet<Access>, string>();

/** The target that is written so, always the same string, or what is wrong with it. */
export function sharedTarget(written: string): { readonly target: TargetId } | { readonly fault: string } {
  const known = targets.get(written);
  if (known !== undefined) return { target: known };
  const fault = targetFault(written);
  if (fault !== undefined) return { fault };
  if (targets.size >= TARGETS_AT_MOST) targets.clear();
  const target = written as TargetId;
  targets.set(target, target);
  return { target };
}

/** The access that is written so, the same set for the same text, or what is wrong with it. */
export function sharedAccess(written: string): { readonly access: ReadonlySet<Access> } | { readonly fault: string } {
  const known = accesses.get(written);
  if (known !== undefined) return { access: known };
  const read = parseAccess(written);
  if ('fault' in read) return read;
  texts.set(read.access, written);
  if (accesses.size < TEXTS_AT_MOST) accesses.set(written, read.access);
  return read;
}

/** How a set made by `sharedAccess` stands in Redis. */
export function accessText(access: ReadonlySet<Access>): string {
  return texts.get(access) ?? [...access].join(',');
}
