import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { templateOf, versionsOf } from '../prompts/prompt.ts';
import { renderTemplate } from '../prompts/render.ts';
import { promptTarget } from '../rbac/grants.ts';
import { requireRecord } from './model-lookup.ts';
import type { CallPermission } from './permission.ts';

/** A prompt that a task names. */
export interface NamedPrompt {
  readonly name: string;
  /** The input that names it. */
  readonly field: 'promptName' | 'instructions';
  /** Default: the highest. */
  readonly version: number | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

/**
 * A named prompt's text: decided, associated with `model` (`provider:model`), rendered. Throws PERMISSION_DENIED, PROMPT_UNKNOWN,
 * PROMPT_NOT_ASSOCIATED, RECORD_INVALID or PROMPT_VARIABLES_MISSING; there is no way from any of them to literal text.
 */
export function renderNamedPrompt(
  { name, field, version, variables }: NamedPrompt,
  model: string,
  { snapshot, permission }: { readonly snapshot: Snapshot; readonly permission: CallPermission },
): string {
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
  const template = templateOf(prompt, version);
  if (template === undefined) {
    throw new ServiceError(
      'PROMPT_UNKNOWN',
      `Input promptVersion: the prompt "${name}" has no version ${version}; it has ${versionsOf(prompt).join(', ')}`,
      { field: 'promptVersion' },
    );
  }
  return renderTemplate(template, variables ?? {});
}
