import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is done with one request beside the usual. */
export interface Treatment {
  /** The answer, and what a heartbeat writes, come this much later. */
  readonly delayMs?: number;
  /** This status in place of any work. */
  readonly status?: number;
  /** The socket is cut. `before`: nothing is done; `amid`: at once, and it is done for all that, later; `after`: once it is done. */
  readonly cut?: 'before' | 'amid' | 'after';
  /** The answer, of before, comes when this is settled. */
  readonly until?: Promise<void>;
  /** `hang`: never answered. */
  readonly hang?: boolean;
}

/** Does the work, or what is to be done in its place. Undefined: the socket is cut. */
export async function treat(treatment: Treatment | undefined, request: IncomingMessage, work: () => unknown) {
  if (treatment?.hang === true) return new Promise<never>(() => undefined);
  if (treatment?.cut === 'before') return void request.socket.destroy();
  if (treatment?.cut === 'amid') request.socket.destroy();
  if (treatment?.delayMs !== undefined && treatment.status !== undefined) await sleep(treatment.delayMs);
  if (treatment?.status !== undefined)
    return {
      status: treatment.status,
      body: treatment.status === 204 ? '' : { message: `stub ${treatment.status}` },
    };
  const body = await work();
  await treatment?.until;
  if (treatment?.cut !== undefined) return void request.socket.destroy();
  return { status: 200, body };
}
