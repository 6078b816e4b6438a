import type { Logger } from 'pino';
import { z } from 'zod';
import type { Ticket } from '../integrations/lanes/lane-cluster.ts';
import { describeFaults, parseJson } from '../parsing.ts';
import type { KeptAnswer } from '../workers/ledger/ledger.ts';

/** What is kept in Redis, read back: whoever can write there must not be able to do more than spoil one entry. */

export const heldRecord = z.object({
  workflowInstanceId: z.string().min(1),
  pollCount: z.int().nonnegative(),
  polledBy: z.string().min(1),
});

export const answerRecord: z.ZodType<KeptAnswer> = z.object({
  inputHash: z.string().min(1),
  result: z
    .object({
      status: z.enum(['COMPLETED', 'FAILED', 'FAILED_WITH_TERMINAL_ERROR']),
      outputData: z.record(z.string(), z.unknown()).optional(),
      reasonForIncompletion: z.string().optional(),
    })
    // Absent stays absent: Conductor is sent what was kept.
    .transform(({ status, outputData, reasonForIncompletion }) => ({
      status,
      ...(outputData === undefined ? {} : { outputData }),
      ...(reasonForIncompletion === undefined ? {} : { reasonForIncompletion }),
    })),
});

export const ticketRecord: z.ZodType<Ticket> = z
  .object({
    taskId: z.string().min(1),
    lane: z.string().min(1),
    order: z.number(),
    firstThrottledAt: z.number().nullish(),
    throttles: z.number().nonnegative(),
  })
  .transform((ticket) => ({ ...ticket, firstThrottledAt: ticket.firstThrottledAt ?? undefined }));

/** Reads an entry; one that is malformed is undefined and warned of once, by its key and what is wrong, never its value. */
export type RecordReader = <T>(key: string, text: string, schema: z.ZodType<T>) => T | undefined;

/** Keys that are remembered as warned of. */
const SAID_AT_MOST = 1_000;

export function createRecordReader(log: Logger): RecordReader {
  const said = new Set<string>();
  return (key, text, schema) => {
    const read = parseJson(text, schema);
    if (read.ok) return read.value;
    if (!said.has(key) && said.size < SAID_AT_MOST) {
      said.add(key);
      log.warn({ key, reason: describeFaults(read.faults) }, 'An entry of the ledger in Redis cannot be read; skipped');
    }
    return undefined;
  };
}
