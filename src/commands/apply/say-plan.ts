import { leafLabel, leavesOf } from '../../manifests/leaves.ts';
import { shownPlace } from '../../manifests/reader.ts';
import type { ShownChange, ShownPlan } from '../../manifests/shown-plan.ts';
import { visible } from '../../visible.ts';
import type { Terminal } from '../terminal.ts';
import { sayLife } from './say-life.ts';

export function sayPlan(plan: ShownPlan, terminal: Terminal): void {
  for (const change of plan.changes) {
    const { action, kind, name, leftBehind } = change;
    const title = visible(`${kind} ${name}`);
    if (action === 'create') terminal.say(terminal.good(`+ ${title}`));
    else if (leftBehind && (action === 'delete' || kind === 'members'))
      terminal.say(terminal.bad(`- ${title} (left behind by an earlier record)`));
    else if (action === 'delete') terminal.say(terminal.bad(`- ${title}`));
    else terminal.say(terminal.changed(`~ ${title}${leftBehind ? ' (named what an earlier record left behind)' : ''}`));
    for (const line of differences(change)) terminal.say(terminal.faint(`    ${visible(line)}`));
    if (kind === 'models') sayLife(change, terminal);
  }
  sayRemarks(plan, terminal);
}

/** What is not done, and what is done and hardly meant. */
export function sayRemarks({ kept, warnings }: ShownPlan, terminal: Terminal): void {
  for (const warning of warnings) terminal.warn(visible(`${shownPlace(warning)}: ${warning.message}`));
  for (const { kind, name } of kept) {
    terminal.warn(`${kind} ${name} stays: without it nobody would get in with the role ADMIN`);
  }
}

/** What differs, as it may be shown: a secret that changes is there, masked on both sides. */
function differences({ action, before, after, hidden }: ShownChange): string[] {
  const [old, fresh] = [leavesOf(before), leavesOf(after)];
  if (action === 'delete') return [];
  if (action === 'create') return [...fresh].map(([path, value]) => `${leafLabel(path)}${value}`);
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((path) => old.get(path) !== fresh.get(path) || hidden.includes(path))
    .map((path) => `${leafLabel(path)}${old.get(path) ?? '(absent)'} → ${fresh.get(path) ?? '(absent)'}`);
}
