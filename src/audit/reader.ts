import type { Cluster, Redis } from 'ioredis';
import { answered } from '../redis/answered.ts';
import type { KeyNames } from '../redis/keys.ts';
import { withoutAccounts } from './describe.ts';
import { type ChangeRecord, type DenialRecord, readChange, readDenial, type StreamEntry } from './records.ts';

export const AUDIT_STREAMS = ['changes', 'denials'] as const;
export type AuditStream = (typeof AUDIT_STREAMS)[number];

/** What is wanted; a part that is absent leaves nothing out. */
export interface AuditFilter {
  /** Of changes alone. */
  readonly kind?: string | undefined;
  /** Of changes alone. */
  readonly action?: string | undefined;
  /** A record's name; also a part of a grant's name, its subject or its target. Of denials the target. */
  readonly name?: string | undefined;
  /** Who: `USER:x`, or `x` alone; of changes also the id of an access key, or a label. */
  readonly subject?: string | undefined;
  /** In milliseconds of Redis' clock, both inclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export interface AuditQuery<S extends AuditStream = AuditStream> {
  readonly stream: S;
  readonly filter: AuditFilter;
  /** From the newest backwards, or from the oldest on. */
  readonly order: 'newest' | 'oldest';
  /** The id of a record; those beyond it follow. Undefined: from the beginning of that order. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface AuditPage<T> {
  readonly records: readonly T[];
  /** The id of the last record that was looked at, or `after` where there was none. */
  readonly reached: string | undefined;
  /** Whether there may be more beyond that, also where this page is empty. */
  readonly isMore: boolean;
}

type RecordOf<S extends AuditStream> = S extends 'changes' ? ChangeRecord : DenialRecord;

export interface AuditReader {
  /** One page, for which no more than 5,000 records are looked at. Throws UNREACHABLE. */
  page<S extends AuditStream>(query: AuditQuery<S>): Promise<AuditPage<RecordOf<S>>>;
}

/** How many records are looked at for one page, and read at once: one may have 64 KiB. */
const LOOKED_AT_MOST = 5_000;
const READ_AT_ONCE = 250;

export function createAuditReader({
  redis,
  names,
}: {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
}): AuditReader {
  async function slice({ stream, filter, order }: AuditQuery, after: string | undefined): Promise<StreamEntry[]> {
    if (after !== undefined && isEnd(after, order)) return [];
    const key = stream === 'changes' ? names.audit : names.denials;
    const [from, to] = [String(filter.from ?? '-'), String(filter.to ?? '+')];
    const start = after === undefined ? undefined : `(${after}`;
    return await answered(
      order === 'newest'
        ? redis.xrevrange(key, start ?? to, from, 'COUNT', READ_AT_ONCE)
        : redis.xrange(key, start ?? from, to, 'COUNT', READ_AT_ONCE),
    );
  }

  return {
    async page<S extends AuditStream>(query: AuditQuery<S>) {
      const read = (query.stream === 'changes' ? readChange : readDenial) as (entry: StreamEntry) => RecordOf<S>;
      const records: RecordOf<S>[] = [];
      let reached = query.after;
      for (let looked = 0; looked < LOOKED_AT_MOST; ) {
        const entries = await slice(query, reached);
        for (const entry of entries) {
          [reached] = entry;
          const record = read(entry);
          if (fits(record, query.filter)) records.push(record);
          if (records.length === query.limit) return { records, reached, isMore: true };
        }
        if (entries.length < READ_AT_ONCE) return { records, reached, isMore: false };
        looked += entries.length;
      }
      return { records, reached, isMore: true };
    },
  };
}

/** The last id that there can be in that order: Redis refuses to look beyond it. */
function isEnd(id: string, order: AuditQuery['order']): boolean {
  const end = order === 'newest' ? 0n : (1n << 64n) - 1n;
  return id.split('-').every((part) => BigInt(part) === end);
}

/** Whether a record is among what is wanted; its time is not asked. */
export function fits(record: ChangeRecord | DenialRecord, { kind, action, name, subject }: AuditFilter): boolean {
  if ('count' in record) {
    return (name === undefined || record.target === name) && isWho(subject, [record.subject]);
  }
  if (kind !== undefined && record.kind !== kind) return false;
  if (action !== undefined && record.action !== action) return false;
  const wanted = name === undefined ? undefined : withoutAccounts(name);
  if (wanted !== undefined && record.name !== wanted && !isSideOf(record.name, wanted)) return false;
  return isWho(subject, [record.subject, record.accessKey, record.label]);
}

/** Either side of a grant's name may hold an arrow itself. */
function isSideOf(name: string, side: string): boolean {
  return name.startsWith(`${side} → `) || name.endsWith(` → ${side}`);
}

function isWho(wanted: string | undefined, names: readonly (string | undefined)[]): boolean {
  return wanted === undefined || names.some((name) => name === wanted || name === `USER:${wanted}`);
}
