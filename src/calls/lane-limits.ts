import type { Snapshot } from '../catalog/snapshot.ts';
import { type LaneLimits, NO_LIMITS } from '../integrations/lanes/lane-use.ts';
import { splitQualified } from '../integrations/names.ts';
import { laneLimits } from '../integrations/resolve.ts';

/** The limits of each lane by the records of now, worked out once for each state of the models. */
export function createLaneLimits(catalog: () => Snapshot): (lane: string) => LaneLimits {
  let known: { readonly models: unknown; readonly limits: ReadonlyMap<string, LaneLimits> } | undefined;
  return (lane) => {
    const snapshot = catalog();
    const { models } = snapshot.parts.tables;
    if (known?.models !== models) known = { models, limits: laneLimits(modelsOf(snapshot)) };
    return known.limits.get(lane) ?? NO_LIMITS;
  };
}

function* modelsOf(snapshot: Snapshot) {
  for (const name of snapshot.names('models')) {
    const parts = splitQualified(name);
    const found = snapshot.lookup('models', name);
    if (parts !== undefined && found.kind === 'found') yield { ...parts, record: found.record };
  }
}
