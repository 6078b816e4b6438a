/** Numbers from 1 on that are not given yet, or were given back. */
export interface Pool {
  readonly next: number;
  readonly back: { readonly number: number; readonly rest: Pool['back'] } | undefined;
}

export const FRESH_POOL: Pool = { next: 1, back: undefined };

export function takeNumber({ next, back }: Pool): { readonly number: number; readonly pool: Pool } {
  if (back === undefined) return { number: next, pool: { next: next + 1, back } };
  return { number: back.number, pool: { next, back: back.rest } };
}

export function giveBack({ next, back }: Pool, number: number): Pool {
  return { next, back: { number, rest: back } };
}
