import type { Cluster, Redis } from 'ioredis';
import type { Deferral, DeferralRequest, Sleeper } from '../../integrations/lanes/lane-cluster.ts';
import type { KeyNames } from '../../redis/keys.ts';
import type { Background } from './background.ts';
import { readTicket } from './ticket-json.ts';
import { DEFER, FORGET, LEAVE_ASLEEP, SURVEY, TAKE_SLEEPERS } from './ticket-scripts.ts';

export interface TicketsParts {
  readonly redis: Redis | Cluster;
  readonly names: KeyNames;
  readonly background: Background;
}

export interface Tickets {
  defer(request: DeferralRequest): Promise<Deferral>;
  forget(ticket: { readonly lane: string; readonly taskId: string }): void;
  sleeping(): ReadonlyMap<string, number>;
  takeSleepers(lane: string, wanted: number): Promise<readonly Sleeper[]>;
  leaveAsleep(lane: string, sleepers: readonly Pick<Sleeper, 'taskId' | 'taken'>[]): void;
  /** Sends what is to be forgotten. */
  flush(): void;
  /** Counts anew who sleeps in every lane. */
  refresh(): Promise<void>;
}

const FORGET_WITHIN_MS = 100;
/** Beyond this many, what could not be forgotten is left to the sweep. */
const FORGET_AT_MOST = 10_000;

export function createTickets({ redis, names, background }: TicketsParts): Tickets {
  const sleepers = new Map<string, number>();
  /** Task id → lane. */
  let forgotten = new Map<string, string>();
  let flushing: NodeJS.Timeout | undefined;

  function count(lane: string, sleeping: number): void {
    if (sleeping > 0) sleepers.set(lane, sleeping);
    else sleepers.delete(lane);
  }

  function flush(): void {
    clearTimeout(flushing);
    flushing = undefined;
    const sent = forgotten;
    forgotten = new Map();
    for (const [lane, entries] of Map.groupBy(sent, ([, lane]) => lane)) {
      const tasks = entries.map(([taskId]) => taskId);
      background.run(() => forgetAll(lane, tasks));
    }
  }

  async function forgetAll(lane: string, tasks: readonly string[]): Promise<void> {
    const { tickets, due } = names.lane(lane);
    try {
      await FORGET.run(redis, [tickets, due, names.waiting, ...tasks.map(names.ledger.ticket)], [lane, ...tasks]);
    } catch (error) {
      // The next tick tries again.
      for (const taskId of tasks) if (forgotten.size < FORGET_AT_MOST) forgotten.set(taskId, lane);
      throw error;
    }
  }

  function leaveAsleep(lane: string, sleepers: readonly Pick<Sleeper, 'taskId' | 'taken'>[]): void {
    const args = sleepers.flatMap(({ taskId, taken }) => [taskId, taken.countedAt, taken.dueAt]);
    background.run(() => LEAVE_ASLEEP.run(redis, [names.lane(lane).due], args));
  }

  return {
    async defer(request) {
      const { lane, taskId } = request;
      // It waits again, and keeps its place.
      forgotten.delete(taskId);
      const { tickets, due } = names.lane(lane);
      const [sleepMs = 1_000, throttledForMs = -1, sleeping = 0] = (await DEFER.run(
        redis,
        [tickets, due, names.ledger.ticket(taskId), names.waiting],
        [
          lane,
          taskId,
          request.workflowInstanceId,
          request.pollCount,
          request.order,
          request.intervalMs,
          request.ahead,
          request.atLeastMs ?? 0,
          request.atMostMs,
          request.throttled ? 1 : 0,
        ],
      )) as number[];
      count(lane, sleeping);
      return { sleepMs, throttledForMs: throttledForMs < 0 ? undefined : throttledForMs };
    },
    forget({ lane, taskId }) {
      forgotten.set(taskId, lane);
      flushing ??= setTimeout(flush, FORGET_WITHIN_MS).unref();
    },
    sleeping: () => sleepers,
    async takeSleepers(lane, wanted) {
      // Those that have just started sleep no more.
      flush();
      const { tickets, due } = names.lane(lane);
      const [sleeping, countedAt, ...found] = (await TAKE_SLEEPERS.run(redis, [tickets, due], [wanted])) as [
        number,
        number,
        ...string[],
      ];
      count(lane, sleeping);
      const taken = found.flatMap((taskId, index) =>
        index % 2 === 0 ? [{ taskId, taken: { countedAt, dueAt: Number(found[index + 1]) } }] : [],
      );
      if (taken.length === 0) return [];
      const texts = await redis.mget(taken.map(({ taskId }) => names.ledger.ticket(taskId))).catch((error: unknown) => {
        leaveAsleep(lane, taken);
        throw error;
      });
      return taken.flatMap((one, index) => {
        const ticket = readTicket(texts[index]);
        // Gone, unreadable, or by now in another lane.
        if (ticket?.lane !== lane) return [];
        const { workflowInstanceId, pollCount } = ticket;
        return [{ ...one, workflowInstanceId, pollCount }];
      });
    },
    leaveAsleep,
    flush,
    async refresh() {
      const lanes = await redis.smembers(names.waiting);
      const keys = lanes.flatMap((lane) => [names.lane(lane).tickets, names.lane(lane).due]);
      const counts =
        lanes.length === 0 ? [] : ((await SURVEY.run(redis, [names.waiting, ...keys], lanes)) as readonly number[]);
      for (const lane of sleepers.keys()) if (!lanes.includes(lane)) sleepers.delete(lane);
      for (const [index, lane] of lanes.entries()) count(lane, counts[index] ?? 0);
    },
  };
}
