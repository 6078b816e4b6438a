import { ServiceError } from '../../errors.ts';
import type { ResolvedModel } from '../../integrations/resolve.ts';
import { type TaskInput, withoutNulls } from './read-inputs.ts';

/** Task inputs that a record gives where a task gives none. */
export interface Defaults {
  readonly values: TaskInput;
  /** For people: `p:m`, `the prompt "summarize"`. */
  readonly record: string;
  /** Where in the record: `configuration.defaults`. */
  readonly field: string;
}

export function modelDefaults({ integration, model, record }: ResolvedModel): Defaults {
  return {
    values: record.configuration.defaults,
    record: `${integration}:${model}`,
    field: 'configuration.defaults',
  };
}

/** All of them in one: what the first says goes before the others. Null says nothing. */
export function joinDefaults(layers: readonly TaskInput[]): TaskInput {
  return Object.assign({}, ...layers.map(withoutNulls).reverse()) as TaskInput;
}

/**
 * An INPUT_INVALID about a value that the task never gave is the fault of the record that gave it, the first of those that
 * did: said so, with its place.
 */
export function blameDefaults(error: unknown, input: TaskInput, layers: readonly Defaults[]): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'INPUT_INVALID' || error.field === undefined) return error;
  const name = error.field.split('.')[0] ?? '';
  if (Object.hasOwn(withoutNulls(input), name)) return error;
  const giver = layers.find(({ values }) => Object.hasOwn(withoutNulls(values), name));
  if (giver === undefined) return error;
  const message = `The record of ${giver.record}, ${giver.field}: ${error.message}`;
  return new ServiceError('RECORD_INVALID', message, { field: `${giver.field}.${error.field}` });
}
