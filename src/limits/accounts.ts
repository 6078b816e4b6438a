import type { Snapshot } from '../catalog/snapshot.ts';
import { holderId, type Subject, subjectId } from '../rbac/subject.ts';

/**
 * What tokens are put down to: `MODEL:` and the lane of a model, so that aliases of one id count together; `INTEGRATION:` and
 * its name; the subject, `USER:alice@example.com` or `USER:app:claims`; and `GROUP:` and its id for each group that the
 * subject is a member of, by the records of that moment. A field of `run:spent:…`, whether there is a limit or not: one that is
 * set in the middle of a period knows what was used.
 */
export type Account = string;

export const MODEL_ACCOUNT = 'MODEL:';
export const INTEGRATION_ACCOUNT = 'INTEGRATION:';
export const USER_ACCOUNT = 'USER:';
export const GROUP_ACCOUNT = 'GROUP:';

/** The accounts that one call is put down to. `subject`: undefined where nobody is known. */
export function accountsOf(
  snapshot: Snapshot,
  call: { readonly integration: string; readonly lane: string; readonly subject: Subject | undefined },
): readonly Account[] {
  const { integration, lane, subject } = call;
  const accounts = [`${MODEL_ACCOUNT}${lane}`, `${INTEGRATION_ACCOUNT}${integration}`];
  if (subject === undefined) return accounts;
  accounts.push(subjectId(subject));
  if (subject.type !== 'USER') return accounts;
  for (const group of snapshot.groupsOf(subject.id)) {
    // A group is one by its record; one that cannot be read is mended some day.
    if (snapshot.lookup('groups', group).kind !== 'absent') accounts.push(holderId('GROUP', group));
  }
  return accounts;
}
