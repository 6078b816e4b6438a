/** Takes in what one key of the catalog holds, piece by piece, in place of what it held before. */
export interface Intake {
  /** Elements from one place of a list to another, as Redis replied; one may come twice, and counts as it came last. */
  add(items: readonly string[], from: number, to: number): void;
  /** Nothing more comes: what has changed takes its place. In steps, between which others may have their turn. */
  close(): Iterable<undefined>;
}
