import type { Snapshot } from '../catalog/snapshot.ts';
import { sealBareSecrets } from '../integrations/secrets/seal-bare.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { Wanted } from './manifest.ts';
import { readable } from './plan.ts';

/** What is wanted, with the bare secrets of its integrations sealed; those that Redis holds sealed already stay as they are. */
export function sealWanted(snapshot: Snapshot, wanted: Wanted, keyring: Keyring): Wanted {
  const records = new Map(wanted.records);
  const integrations = [...(wanted.records.get('integrations') ?? [])].map(([name, record]) => {
    const raw = snapshot.parts.tables.integrations.get(name)?.raw;
    return [name, sealBareSecrets(name, record, raw === undefined ? undefined : readable(raw), keyring)] as const;
  });
  if (integrations.length > 0) records.set('integrations', new Map(integrations));
  return { ...wanted, records };
}
