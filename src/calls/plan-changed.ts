/** The records changed so much that what is still to be asked would not go with what was answered. */
export class PlanChanged extends Error {
  override readonly name = 'PlanChanged';
}
