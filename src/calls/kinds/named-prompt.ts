import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import type { ResolvedModel } from '../../integrations/resolve.ts';
import { versionOf, versionsOf } from '../../prompts/prompt.ts';
import { renderTemplate } from '../../prompts/render.ts';
import { promptTarget } from '../../rbac/grants.ts';
import { blameDefaults, type Defaults, joinDefaults, modelDefaults } from '../inputs/defaults.ts';
import { type InputSchema, type TaskInput, withDefaults } from '../inputs/read-inputs.ts';
import { requireRecord } from '../model-lookup.ts';
import type { CallPermission } from '../permission.ts';

const SHOWN_VERSIONS = 20;

/** A prompt that a task names. */
export interface NamedPrompt {
  readonly name: string;
  /** The input that names it. */
  readonly field: 'promptName' | 'instructions';
  /** Default: the highest. */
  readonly version: number | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/** A prompt as it goes out. */
export interface PromptText {
  readonly text: string;
  /** False: literal text. */
  readonly isNamed: boolean;
  /** For the task's log: variables that it does not have. */
  readonly notes: readonly string[];
  /** How to generate where the task does not say, the first before the others, all before the model's. */
  readonly defaults: readonly Defaults[];
}

/**
 * A named prompt: decided, associated with `model` (`provider:model`), rendered. Throws PERMISSION_DENIED, PROMPT_UNKNOWN,
 * PROMPT_NOT_ASSOCIATED, RECORD_INVALID, PROMPT_VARIABLES_MISSING, or INPUT_INVALID for a blank one; there is no way from any of them to literal text.
 */
export function renderNamedPrompt(
  { name, field, version, variables }: NamedPrompt,
  model: string,
  { snapshot, permission }: { readonly snapshot: Snapshot; readonly permission: CallPermission },
): PromptText {
  const target = { kind: 'prompt', prompt: name, input: field } as const;
  permission.require(snapshot, target);
  const prompt = requireRecord(
    snapshot.prompt(name),
    { unknown: 'PROMPT_UNKNOWN', disabled: 'PROMPT_UNKNOWN' },
    { what: `the prompt "${name}"`, field },
    () => permission.hint(snapshot, target),
  );
  if (!prompt.integrations.includes(model)) {
    throw new ServiceError(
      'PROMPT_NOT_ASSOCIATED',
      `Input ${field}: ${promptTarget(name)} is not associated with ${model}; its record's integrations must name it`,
      { field },
    );
  }
  const asked = versionOf(prompt, version);
  if (asked === undefined) {
    throw new ServiceError(
      'PROMPT_UNKNOWN',
      `Input promptVersion: the prompt "${name}" has no version ${version}; it has ${versionsShown(versionsOf(prompt))}`,
      { field: 'promptVersion' },
    );
  }
  const { text, notes } = renderTemplate(
    asked.template,
    variables ?? {},
    `the prompt "${name}" (version ${asked.number})`,
  );
  if (text.trim() === '') {
    throw new ServiceError(
      'INPUT_INVALID',
      `Input ${field}: the prompt "${name}" comes to a blank text; look at its template and at promptVariables`,
      { field },
    );
  }
  const record = `the prompt "${name}"`;
  return { text, notes, isNamed: true, defaults: asked.defaults.map((each) => ({ ...each, record })) };
}

/** Literal text: rendered only where variables are given. */
export function literalPrompt(text: string, variables: NamedPrompt['variables']): PromptText {
  if (variables === undefined) return { text, notes: [], isNamed: false, defaults: [] };
  return { ...renderTemplate(text, variables, 'the text'), isNamed: false, defaults: [] };
}

interface Filling {
  /** The task's inputs as they came. */
  readonly given: TaskInput;
  readonly prompt: PromptText | undefined;
}

/** A task's inputs with the defaults of its prompt, and of its model, where it says nothing. Throws RECORD_INVALID for a prompt's default of a wrong form. */
export function filledIn<T extends object>(
  asked: T,
  schema: InputSchema<T>,
  { given, prompt, model }: Filling & { readonly model: ResolvedModel },
): T {
  const layers = [...(prompt?.defaults ?? []), modelDefaults(model)];
  return blaming({ given, prompt }, () =>
    withDefaults(asked, schema, joinDefaults(layers.map(({ values }) => values))),
  );
}

/** Says of a fault that a default of the prompt brought in whose it is. */
export function blaming<T>({ given, prompt }: Filling, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw blameDefaults(error, given, prompt?.defaults ?? []);
  }
}

/** For the task's log: an input that is known and that nothing was done with. */
export function notUsed(input: string, why: string): string {
  return `The input "${input}" was not used: ${why}.`;
}

/** The highest, of which there may be many. */
function versionsShown(numbers: readonly number[]): string {
  const shown = numbers.slice(-SHOWN_VERSIONS).join(', ');
  return numbers.length > SHOWN_VERSIONS ? `${numbers.length}, among them ${shown}` : shown;
}
