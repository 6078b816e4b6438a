import { z } from 'zod';
import { blameDefaults, type Defaults, joinDefaults } from '../../calls/inputs/defaults.ts';
import { type InputSchema, withDefaults } from '../../calls/inputs/read-inputs.ts';
import { generateEmbeddingsInput, generation, rerankInput } from '../../calls/inputs/task-inputs.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { splitQualified } from '../../integrations/names.ts';
import { type ResolvedModel, resolveModel } from '../../integrations/resolve.ts';

const HOW_TO_GENERATE = z.object(generation);
const HOW_TO_EMBED = generateEmbeddingsInput.pick({
  inputType: true,
  truncate: true,
  dimensions: true,
  embeddingTypes: true,
});
const HOW_TO_RANK = rerankInput.pick({ topN: true });

/**
 * What a task of a model fails with that says nothing of how to answer itself, as the fault of the record that gives the
 * default: its `field` is the place there. Undefined where it runs. Tried with a text to complete, to embed or to rank.
 */
export function faultOfDefaults({ codec }: ResolvedModel, layers: readonly Defaults[]): ServiceError | undefined {
  const defaults = joinDefaults(layers.map(({ values }) => values));
  const filled = <T extends object>(schema: InputSchema<T>): T => withDefaults({} as T, schema, defaults);
  try {
    codec.text?.encode({ ...filled(HOW_TO_GENERATE), prompt: 'x' });
    codec.embeddings?.encode({ ...filled(HOW_TO_EMBED), texts: ['x'] });
    codec.rerank?.encode({ ...filled(HOW_TO_RANK), query: 'x', documents: ['x'] });
    return undefined;
  } catch (error) {
    const fault = blameDefaults(error, {}, layers);
    if (!(fault instanceof ServiceError)) throw fault;
    return fault.code === 'RECORD_INVALID' ? fault : undefined;
  }
}

/** A model whose integration is there and can be read, as its own record is. */
export function modelOf(snapshot: Snapshot, qualified: string): ResolvedModel | undefined {
  const parts = splitQualified(qualified);
  if (parts === undefined) return undefined;
  const [integration, model] = [snapshot.integration(parts.integration), snapshot.lookup('models', qualified)];
  if (integration.kind !== 'found' || model.kind !== 'found') return undefined;
  return resolveModel({ ...parts, configuration: integration.record.configuration, record: model.record });
}
