import type { Snapshot } from '../catalog/snapshot.ts';
import { sealBareSecrets } from '../integrations/secrets/seal-bare.ts';
import { configurationOf } from '../integrations/secrets/secret-fields.ts';
import { keepMasked } from '../integrations/secrets/written-configuration.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { ManifestFault, Wanted } from './manifest.ts';
import { readable } from './plan.ts';

const NOWHERE = { file: 'the manifests', line: 1, column: 1 };

/**
 * What is wanted, with the secrets of its integrations as they are to be written: for a mask what Redis holds, and bare ones
 * sealed; those that Redis holds sealed already stay as they are. A mask that may keep nothing is a fault.
 */
export function sealWanted(
  snapshot: Snapshot,
  wanted: Wanted,
  keyring: Keyring,
): { readonly wanted: Wanted; readonly faults: readonly ManifestFault[] } {
  const records = new Map(wanted.records);
  const faults: ManifestFault[] = [];
  const integrations = [...(wanted.records.get('integrations') ?? [])].map(([name, record]) => {
    const raw = snapshot.parts.tables.integrations.get(name)?.raw;
    const stored = raw === undefined ? undefined : readable(raw);
    const label = `integrations.${name}`;
    const unmasked = keepMasked(configurationOf(record), stored === undefined ? undefined : configurationOf(stored));
    for (const { field, message } of unmasked.faults) {
      const place = wanted.masks.get(`${label}.${field}`) ?? wanted.places.get(label) ?? NOWHERE;
      faults.push({ ...place, record: label, message: `${label}.${field}: ${message}` });
    }
    return [
      name,
      sealBareSecrets(name, { ...record, configuration: unmasked.configuration }, stored, keyring),
    ] as const;
  });
  if (integrations.length > 0) records.set('integrations', new Map(integrations));
  return { wanted: { ...wanted, records }, faults };
}
