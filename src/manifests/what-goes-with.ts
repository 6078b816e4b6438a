import type { Snapshot } from '../catalog/snapshot.ts';
import { applicationTarget, integrationTarget, promptTarget } from '../rbac/grants.ts';
import { type Change, grantName } from './changes.ts';

/**
 * What is deleted along with deleted records, so that a record of the same name made later inherits nothing: their
 * grants, the grants on them, a group's members, a user's memberships. What the changes already say is left to them.
 */
export function whatGoesWith(snapshot: Snapshot, changes: readonly Change[]): Change[] {
  const said = new Set(changes.map(({ kind, name }) => `${kind} ${name}`));
  const more: Change[] = [];
  const gone = changes.filter(({ action }) => action === 'delete');
  const subjects = new Set(gone.flatMap(subjectsOf));
  const targets = new Set(gone.flatMap(targetsOf));
  const users = new Set([...subjects].filter((id) => id.startsWith('USER:')).map((id) => id.slice('USER:'.length)));

  for (const { subject, target, text } of snapshot.grantTexts()) {
    if (!subjects.has(subject) && !targets.has(target)) continue;
    const name = grantName(subject, target);
    if (!said.has(`grants ${name}`)) more.push({ action: 'delete', kind: 'grants', name, before: text, after: null });
  }
  for (const [group, members] of snapshot.parts.members) {
    if (said.has(`members ${group}`)) continue;
    const before = [...members].sort();
    const after = subjects.has(`GROUP:${group}`) ? [] : before.filter((member) => !users.has(member));
    if (after.length === before.length) continue;
    more.push({
      action: after.length === 0 ? 'delete' : 'update',
      kind: 'members',
      name: group,
      before,
      after: after.length === 0 ? null : after,
    });
  }
  return more;
}

function subjectsOf({ kind, name }: Change): string[] {
  switch (kind) {
    case 'groups':
      return [`GROUP:${name}`];
    case 'users':
      return [`USER:${name}`];
    case 'applications':
      return [`USER:app:${name}`];
    case 'roles':
      return [`ROLE:${name}`];
    default:
      return [];
  }
}

function targetsOf({ kind, name }: Change): string[] {
  switch (kind) {
    case 'integrations':
      return [integrationTarget(name)];
    case 'models':
      return [`INTEGRATION:${name}`];
    case 'prompts':
      return [promptTarget(name)];
    case 'applications':
      return [applicationTarget(name)];
    default:
      return [];
  }
}
