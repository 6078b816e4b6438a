import type { Snapshot } from '../../catalog/snapshot.ts';
import { modelRecord } from '../../integrations/model.ts';

/** How long a task may take that throttling puts off, in seconds. */
export interface LongestWait {
  /** Put off: the longest `maxDeferralSeconds` of any model. */
  readonly deferral: number;
  /** Put off, and then answered: the longest of that and `timeoutMs` of one model together. */
  readonly untilAnswered: number;
}

/** Over all models that can be read; a model's defaults where there is none. */
export function longestWait(snapshot: Snapshot): LongestWait {
  const found = [...snapshot.names('models')].flatMap((name) => {
    const model = snapshot.lookup('models', name);
    return model.kind === 'found' ? [model.record.configuration] : [];
  });
  const configurations = found.length > 0 ? found : [modelRecord.parse({}).configuration];
  return {
    deferral: Math.max(...configurations.map(({ maxDeferralSeconds }) => maxDeferralSeconds)),
    untilAnswered: Math.max(
      ...configurations.map(({ maxDeferralSeconds, timeoutMs }) => maxDeferralSeconds + Math.ceil(timeoutMs / 1_000)),
    ),
  };
}
