import { ACCESSES, type Access } from '../../rbac/grants.ts';

/**
 * The grants of one holder as 32-bit numbers: the number of a target, at least 1, and a bit for each word of access. The
 * table is open-addressed by the target, its length a power of two, so that most searches end at the first look.
 */
const ACCESS_BITS = ACCESSES.length;
const ACCESS_MASK = (1 << ACCESS_BITS) - 1;

const BIT_OF = Object.fromEntries(ACCESSES.map((word, index) => [word, 1 << index])) as Readonly<
  Record<Access, number>
>;

export function accessBits(access: Iterable<Access>): number {
  let bits = 0;
  for (const word of access) bits |= BIT_OF[word];
  return bits;
}

/** The first of some words that is among the bits. */
export function firstWord(access: readonly Access[], bits: number): Access | undefined {
  return access.find((word) => (bits & BIT_OF[word]) !== 0);
}

/** With room for so many grants and half as many empty slots; none for none. */
export function emptyTable(grants: number): Int32Array {
  if (grants === 0) return new Int32Array(0);
  let length = 4;
  while (length * 2 < grants * 3) length *= 2;
  return new Int32Array(length);
}

/** Once a target; at least one bit. */
export function addGrant(table: Int32Array, target: number, bits: number): void {
  const last = table.length - 1;
  let at = slotOf(target) & last;
  while (table[at] !== 0) at = (at + 1) & last;
  table[at] = (target << ACCESS_BITS) | bits;
}

/** The bits that a table holds for a target, 0 where it holds none. The table is a part of some data, and not empty. */
export function heldIn(data: Int32Array, from: number, to: number, target: number): number {
  const last = to - from - 1;
  const sought = target << ACCESS_BITS;
  for (let at = slotOf(target) & last; ; at = (at + 1) & last) {
    const grant = data[from + at] as number;
    if (grant === 0) return 0;
    if (((grant ^ sought) & ~ACCESS_MASK) === 0) return grant & ACCESS_MASK;
  }
}

/** Fibonacci hashing, its high bits brought down: targets that are named one after the other are far from each other. */
function slotOf(target: number): number {
  const mixed = Math.imul(target, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/**
 * What a table holds, in brief: a bit for each target, which several may share. With fifty grants nine of ten targets
 * that are not among them are ruled out by it, in one place of the memory for all that is sought.
 */
export const BRIEF_WORDS = 15;

/** Where a target's bit is: its word by `>>> 5`, its place there by `& 31`. */
export function briefBit(target: number): number {
  const mixed = Math.imul(target, 0x85ebca6b);
  return Math.imul((mixed ^ (mixed >>> 13)) & 0xffff, BRIEF_WORDS * 32) >>> 16;
}

/** Writes it into some data. */
export function writeBrief(data: Int32Array, at: number, table: ArrayLike<number>): void {
  data.fill(0, at, at + BRIEF_WORDS);
  for (let index = 0; index < table.length; index += 1) {
    const grant = table[index] as number;
    if (grant === 0) continue;
    const bit = briefBit(grant >>> ACCESS_BITS);
    const word = at + (bit >>> 5);
    data[word] = (data[word] as number) | (1 << (bit & 31));
  }
}
