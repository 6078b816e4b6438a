import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { verifyCredentials } from '../../integrations/bedrock/verify-credentials.ts';
import type { SecretSources } from '../../integrations/secrets/open-secret.ts';
import { sealedFaults } from '../../integrations/secrets/sealed.ts';
import { OPENED_BY } from '../../integrations/secrets/secret-fields.ts';
import { evictionPolicy } from '../../redis/eviction.ts';
import type { KeyNames } from '../../redis/keys.ts';
import type { Finding } from './finding.ts';

/** Redis must not throw records away when it is full. One that does not tell is believed. */
export async function checkRedis(redis: Redis | Cluster): Promise<Finding[]> {
  const policy = await evictionPolicy(redis);
  if (policy === undefined) return [];
  return [
    {
      severity: 'warning',
      key: 'redis',
      field: 'maxmemory-policy',
      message: `is ${policy}: a full Redis would drop records and grants; set noeviction`,
    },
  ];
}

/**
 * Gets every integration's credentials as a worker would and shows them to STS. One whose sealed secret does not open
 * has its finding from the records already.
 */
export async function checkCredentials(parts: {
  readonly snapshot: Snapshot;
  readonly names: KeyNames;
  readonly secrets: SecretSources;
  readonly log: Logger;
}): Promise<Finding[]> {
  const key = parts.names.hash('integrations');
  const findings = await Promise.all(
    [...parts.snapshot.parts.tables.integrations].map(async ([field, { lookup }]): Promise<Finding[]> => {
      if (lookup.kind !== 'found' || !lookup.record.enabled) return [];
      const { configuration } = lookup.record;
      const opened = OPENED_BY[configuration.connectionType];
      if (sealedFaults(field, configuration, opened, parts.secrets.keyring).length > 0) return [];
      try {
        await verifyCredentials({ integration: field, configuration, ...parts });
        return [];
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        // The words are a task's; here they must not send the reader to where they are.
        const message = error.message.replace(':(sts)', '').replace(/; an administrator can look with `[^`]*`/, '');
        const finding: Finding = { severity: 'error', key, field, message };
        return [error.code === 'BEDROCK_UNAVAILABLE' ? { ...finding, unreachable: true } : finding];
      }
    }),
  );
  return findings.flat();
}
