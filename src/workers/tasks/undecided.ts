/** Nothing can be decided about a task at the moment: it goes back, unjudged. */
export class Undecided extends Error {
  override readonly name = 'Undecided';
}
