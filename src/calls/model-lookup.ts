import type { Lookup } from '../catalog/records.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { type ErrorCode, ServiceError } from '../errors.ts';
import { type ResolvedModel, resolveModel } from '../integrations/resolve.ts';
import type { TaskTarget } from '../rbac/decision.ts';
import type { CallPermission } from './permission.ts';

/** The model that a task names, if it may be used: decided first, so that a stranger does not learn what exists. */
export function findModel(
  snapshot: Snapshot,
  permission: CallPermission,
  { integration, model }: { readonly integration: string; readonly model: string },
): ResolvedModel {
  const integrationFound = snapshot.integration(integration);
  const modelFound = snapshot.model(integration, model);
  const tags = [...recordOf(modelFound, []), ...recordOf(integrationFound, [])];
  permission.require(snapshot, { kind: 'model', integration, model, tags });

  const integrationRecord = requireRecord(
    integrationFound,
    {
      unknown: 'INTEGRATION_UNKNOWN',
      disabled: 'INTEGRATION_DISABLED',
    },
    { what: `the integration "${integration}"`, field: 'llmProvider' },
    () => permission.hint(snapshot, { kind: 'integration', integration, tags: [] }),
  );
  const record = requireRecord(
    modelFound,
    { unknown: 'MODEL_UNKNOWN', disabled: 'MODEL_DISABLED' },
    {
      what: `the model "${model}" of the integration "${integration}"`,
      field: 'model',
    },
    () => permission.hint(snapshot, { kind: 'model', integration, model, tags: [] } satisfies TaskTarget),
  );
  return resolveModel({ integration, model, configuration: integrationRecord.configuration, record });
}

/** A record that is there, readable and switched on; else the error that says what is the matter. */
export function requireRecord<T extends object>(
  found: Lookup<T>,
  codes: { readonly unknown: ErrorCode; readonly disabled: ErrorCode },
  place: { readonly what: string; readonly field: string },
  hint: () => string,
): T {
  const { what, field } = place;
  switch (found.kind) {
    case 'absent':
      throw new ServiceError(codes.unknown, `Input ${field}: there is no such thing as ${what}.${hint()}`, {
        field,
      });
    case 'invalid':
      throw new ServiceError(
        'RECORD_INVALID',
        `Input ${field}: the record of ${what} cannot be read (${found.fault.key}, field ${found.fault.field}: ` +
          `${found.fault.message}). An administrator has to mend it`,
        { field },
      );
    case 'found':
      if ('enabled' in found.record && found.record.enabled === false) {
        throw new ServiceError(
          codes.disabled,
          `Input ${field}: ${what} is switched off; an administrator can enable it`,
          {
            field,
          },
        );
      }
      return found.record;
  }
}

function recordOf<T extends { readonly tags: readonly unknown[] }>(found: Lookup<T>, none: T['tags']): T['tags'] {
  return found.kind === 'found' ? found.record.tags : none;
}
