import { z } from 'zod';
import { blameDefaults, type Defaults, joinDefaults } from '../../calls/inputs/defaults.ts';
import { withDefaults } from '../../calls/inputs/read-inputs.ts';
import { generation } from '../../calls/inputs/task-inputs.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { splitQualified } from '../../integrations/names.ts';
import { type ResolvedModel, resolveModel } from '../../integrations/resolve.ts';

const HOW_TO_GENERATE = z.object(generation);

/**
 * What a text task of a model fails with that says nothing of how to generate itself, as the fault of the record that gives the
 * default: its `field` is the place there. Undefined where it runs, and for a model that completes no text.
 */
export function faultOfDefaults({ codec }: ResolvedModel, layers: readonly Defaults[]): ServiceError | undefined {
  if (codec.text === undefined) return undefined;
  try {
    const filled = withDefaults<z.infer<typeof HOW_TO_GENERATE>>(
      {},
      HOW_TO_GENERATE,
      joinDefaults(layers.map(({ values }) => values)),
    );
    codec.text.encode({ ...filled, prompt: 'x' });
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
