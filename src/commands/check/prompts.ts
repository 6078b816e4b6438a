import { type Defaults, modelDefaults } from '../../calls/inputs/defaults.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { type Prompt, type PromptVersion, versionOf, versionsOf } from '../../prompts/prompt.ts';
import { variablesOf } from '../../prompts/render.ts';
import type { KeyNames } from '../../redis/keys.ts';
import { faultOfDefaults, modelOf } from './defaults.ts';
import type { Finding } from './finding.ts';

/** Prompts that no task can run, or that are not what their records say of them. */
export function* promptFindings(snapshot: Snapshot, names: KeyNames): Iterable<Finding> {
  const key = names.hash('prompts');
  for (const [field, { lookup }] of snapshot.parts.tables.prompts) {
    if (lookup.kind !== 'found') continue;
    const messages = [
      ...looseLinks(snapshot, lookup.record),
      ...staleWords(lookup.record),
      ...unfitDefaults(snapshot, field, lookup.record),
    ];
    // What holds for every version is told once.
    for (const message of new Set(messages)) yield { severity: 'warning', key, field, message };
  }
}

function* looseLinks(snapshot: Snapshot, { integrations }: Prompt): Iterable<string> {
  if (integrations.length === 0) yield 'integrations is empty: no model may run this prompt';
  for (const model of integrations) {
    if (snapshot.lookup('models', model).kind === 'absent') yield `integrations: the model ${model} does not exist`;
  }
}

/** What is kept and not used, and says something else than what is used. */
function* staleWords(prompt: Prompt): Iterable<string> {
  const { versions, variables, version, template } = prompt;
  if (version != null && version !== 1 && !Object.hasOwn(versions, String(version))) {
    yield `version says ${version}, but template is version 1; other versions stand in versions`;
  }
  yield* staleVariables('', { template, variables });
  for (const [number, own] of Object.entries(versions)) yield* staleVariables(`versions.${number}.`, own);
}

function* staleVariables(
  place: string,
  { template, variables }: Pick<Prompt, 'template' | 'variables'>,
): Iterable<string> {
  if (variables == null) return;
  const has = variablesOf(template);
  const [extra, lacking] = [without(variables, has), without(has, variables)];
  if (extra !== '') yield `${place}variables has ${extra}, which the template has not: tasks go by the template`;
  if (lacking !== '') yield `${place}variables lacks ${lacking}: tasks go by the template`;
}

const SHOWN_NAMES = 10;

function without(names: readonly string[], others: readonly string[]): string {
  const known = new Set(others);
  const left = names.filter((name) => !known.has(name));
  const shown = left.slice(0, SHOWN_NAMES).map((name) => JSON.stringify(name.slice(0, 100)));
  return `${shown.join(', ')}${left.length > SHOWN_NAMES ? ` and ${left.length - SHOWN_NAMES} more` : ''}`;
}

/** Defaults that fail a task on one of the prompt's models. Those of the model itself are told with the model. */
function* unfitDefaults(snapshot: Snapshot, name: string, prompt: Prompt): Iterable<string> {
  const versions = versionsOf(prompt).flatMap((number) => versionOf(prompt, number) ?? []);
  if (!versions.some(saysHow)) return;
  for (const qualified of prompt.integrations) {
    const model = modelOf(snapshot, qualified);
    if (model === undefined) continue;
    for (const { defaults } of versions) {
      const own: Defaults[] = defaults.map((each) => ({ ...each, record: `the prompt "${name}"` }));
      const fault = faultOfDefaults(model, [...own, modelDefaults(model)]);
      if (fault === undefined || fault.field?.startsWith('configuration.') === true) continue;
      yield `tasks on ${qualified} fail where they do not give it themselves: ${fault.message}`;
    }
  }
}

function saysHow({ defaults }: PromptVersion): boolean {
  return defaults.some(({ values }) => Object.keys(values).length > 0);
}
