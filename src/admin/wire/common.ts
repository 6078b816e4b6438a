import { z } from 'zod';
import { FREQUENCIES, type Frequency, type LimitFields } from '../../record-fields.ts';

/** A tag as it is read; `type` is Orkes' deprecated METADATA, which comes along in some clients. */
export const wireTag = z.object({ key: z.string(), value: z.string(), type: z.string().optional() });

/** Who made and changed a record, and when, in milliseconds. */
export const wireAudit = {
  ownerApp: z.string().optional(),
  createdBy: z.string().optional(),
  updatedBy: z.string().optional(),
  createTime: z.number().optional(),
  updateTime: z.number().optional(),
} as const;

/** What a read shape carries and a client sends back in a write; it is taken and ignored. */
export const ignored = z.unknown().optional().describe('Taken and ignored.');

export const ignoredAudit = {
  ownerApp: ignored,
  createdBy: ignored,
  updatedBy: ignored,
  createTime: ignored,
  updateTime: ignored,
  createdOn: ignored,
  updatedOn: ignored,
} as const;

export interface Audited {
  readonly ownerApp?: string | null | undefined;
  readonly createdBy?: string | null | undefined;
  readonly updatedBy?: string | null | undefined;
  readonly createTime?: number | null | undefined;
  readonly updateTime?: number | null | undefined;
}

export function auditOf(record: Audited) {
  return {
    ownerApp: record.ownerApp ?? undefined,
    createdBy: record.createdBy ?? undefined,
    updatedBy: record.updatedBy ?? undefined,
    createTime: record.createTime ?? undefined,
    updateTime: record.updateTime ?? undefined,
  };
}

/** A token limit as it is read: see docs/limits.md. */
export const wireLimit = {
  maxTokens: z.number().optional(),
  frequency: z.enum(FREQUENCIES).optional(),
} as const;

/** The same in a write. */
export const limitUpdate = {
  maxTokens: z.number().int().min(0).nullish().describe('The token limit; left out, it stays as it is.'),
  frequency: z
    .enum([...FREQUENCIES, 'none'])
    .nullish()
    .describe('How often the token limit begins anew; `none` takes the limit away.'),
} as const;
export interface LimitUpdate {
  readonly maxTokens?: number | null | undefined;
  readonly frequency?: Frequency | 'none' | null | undefined;
}

export function limitOf({ maxTokens, frequency }: LimitFields) {
  return { maxTokens: maxTokens ?? undefined, frequency: frequency ?? undefined };
}

/** The limit that a record has after a write. */
export function limitToWrite(update: LimitUpdate, stored: LimitFields | undefined) {
  if (update.frequency === 'none') return { maxTokens: undefined, frequency: undefined };
  return {
    maxTokens: update.maxTokens ?? stored?.maxTokens ?? undefined,
    frequency: update.frequency ?? stored?.frequency ?? undefined,
  };
}
