/** Nothing can be decided about a call at the moment: a task goes back, unjudged. */
export class Undecided extends Error {
  override readonly name = 'Undecided';
}
