import { z } from 'zod';
import type { Sleeper, Ticket } from '../../integrations/lanes/lane-cluster.ts';

/** A ticket as it lies in Redis, with what it takes to wake its task. */
const ticketInRedis = z.object({
  taskId: z.string(),
  lane: z.string(),
  order: z.number(),
  firstThrottledAt: z.number().optional(),
  throttles: z.number().default(0),
  workflowInstanceId: z.string(),
  pollCount: z.number(),
});

/** Undefined where there is none, or none that can be read: the task then waits like one that came for the first time. */
export function readTicket(text: string | null | undefined): (Ticket & Omit<Sleeper, 'taken'>) | undefined {
  if (text === null || text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = ticketInRedis.safeParse(value);
  return success ? { ...data, firstThrottledAt: data.firstThrottledAt } : undefined;
}
