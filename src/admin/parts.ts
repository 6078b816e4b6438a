import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { AuditReader } from '../audit/reader.ts';
import type { DirectCaller } from '../calls/direct-caller.ts';
import type { CatalogWriter } from '../catalog/changes/writer.ts';
import type { LiveCatalog } from '../catalog/live-catalog.ts';
import type { LimitReader } from '../cluster/limit-reader.ts';
import type { SecretVerifier } from '../identity/secret-verifier.ts';
import type { SigningKey } from '../identity/signing.ts';
import type { Subject } from '../rbac/subject.ts';
import type { KeyNames } from '../redis/keys.ts';
import type { Trail } from '../redis/trail.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { DenialRecorder } from '../telemetry/denials.ts';
import type { UsageReader } from '../telemetry/usage-reader.ts';
import type { Proven } from './access/authorize.ts';

/** What routes are made of. */
export interface AdminParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly catalog: Pick<LiveCatalog, 'current' | 'refresh' | 'settle' | 'loaded' | 'staleForMs'>;
  readonly writer: CatalogWriter;
  /** How what the request that is being handled changes goes on record; `writer` asks for it by itself. */
  readonly trailNow: () => Trail;
  readonly audit: AuditReader;
  readonly denials: DenialRecorder;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly version: string;
  /** Host names that requests may be made to, besides `localhost`. */
  readonly allowedHosts: readonly string[];
  /** Addresses and ranges of proxies that are believed in `X-Forwarded-For`. */
  readonly trustedProxies: readonly string[];
  readonly anonymous: Subject | undefined;
  readonly authenticate: (token: string) => Promise<Proven>;
  readonly signingKey: SigningKey;
  readonly secrets: SecretVerifier;
  /** Calls models for those who wait. */
  readonly calls: Pick<DirectCaller, 'run'>;
  readonly usage: UsageReader;
  readonly limits: LimitReader;
}
