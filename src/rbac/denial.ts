import { ServiceError } from '../errors.ts';
import type { Target, TaskTarget } from './decision.ts';
import { type Subject, subjectId } from './subject.ts';

/** What `can` takes as TARGET: `provider`, `provider:model`, `PROMPT:name` or `APPLICATION:id`. */
export function targetName(target: Target): string {
  switch (target.kind) {
    case 'integration':
      return target.integration;
    case 'model':
      return `${target.integration}:${target.model}`;
    case 'prompt':
      return `PROMPT:${target.prompt}`;
    case 'application':
      return `APPLICATION:${target.application}`;
  }
}

/** The task's input that names a target. */
export function inputNaming(target: TaskTarget): 'llmProvider' | 'model' | 'promptName' | 'instructions' {
  switch (target.kind) {
    case 'integration':
      return 'llmProvider';
    case 'model':
      return 'model';
    case 'prompt':
      return target.input ?? 'promptName';
  }
}

/** A target as a task's inputs name it, for messages: `bedrock-prod:cohere.embed-v4:0 (inputs llmProvider, model)`. */
export function targetInTask(target: TaskTarget): string {
  return `${targetName(target)} (${target.kind === 'model' ? 'inputs llmProvider, model' : `input ${inputNaming(target)}`})`;
}

/** The same words whether the thing exists or not: a caller who may not use it learns nothing about it. */
export function denialError(subject: Subject, target: TaskTarget, missing: string): ServiceError {
  const who = subjectId(subject);
  return new ServiceError(
    'PERMISSION_DENIED',
    `${who} may not use ${targetInTask(target)}: unknown or not permitted. Missing: ${missing}. ` +
      `An administrator sees why with: bedrock-cohere can ${shellWord(who)} ${shellWord(targetName(target))}`,
    { field: inputNaming(target) },
  );
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
