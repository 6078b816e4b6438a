/** Replicas that look for lost tasks, on a real Redis and the stub of Conductor. */
import { createRescue } from '../../../src/workers/ledger/rescue.ts';
import { createSweep, type Sweep } from '../../../src/workers/ledger/sweep.ts';
import { connect } from '../../workers/support/harness.ts';
import { type StubConductor, startStubConductor } from '../../workers/support/stub-conductor.ts';
import { type Ledgers, openLedgers, type StoreUnderTest } from './ledger.ts';

export const QUEUE = 'LLM_TEXT_COMPLETE';
export const DEFINITION = {
  name: 'claims',
  tasks: [{ name: 'ask', taskReferenceName: 'ask', type: QUEUE }],
};

export interface Sweeper extends StoreUnderTest {
  readonly sweep: Sweep;
  /** One look, and all that follows of it. */
  look(): Promise<void>;
}

export interface SweepWorld extends AsyncDisposable {
  readonly ledgers: Ledgers;
  readonly stub: StubConductor;
  /** A replica that looks without waiting between its looks. */
  sweeper(label: string): Promise<Sweeper>;
  /** Tasks that somebody has polled and nobody claimed. */
  popped(workerId: string, count?: number, fields?: Record<string, unknown>): Promise<string[]>;
  /** Moves suspicions into the past. */
  age(ms: number): Promise<void>;
  suspected(incarnation: string): Promise<void>;
  givenBack(): string[];
  suspects(): Promise<string[]>;
}

export async function openSweepWorld(redisUrl: string): Promise<SweepWorld> {
  const ledgers = await openLedgers(redisUrl);
  const stub = await startStubConductor();
  stub.workflowDefinitions = [DEFINITION];
  const { conductor, close } = connect(stub);
  const giveUp = new AbortController();
  const sweeps: Sweep[] = [];
  const suspectsKey = ledgers.keys.suspects;
  return {
    ledgers,
    stub,
    async sweeper(label) {
      const under = await ledgers.open(label);
      const { log } = under.captured;
      const rescue = createRescue({ conductor, ledger: under.store, log, giveUp: giveUp.signal, lookAgainMs: 5 });
      const sweep = createSweep({
        conductor,
        suspects: under.store,
        rescue: rescue.rescue,
        queues: [QUEUE],
        log,
        timing: { everyMs: 0, gapMs: 0 },
      });
      sweeps.push(sweep);
      return Object.assign(under, {
        sweep,
        async look() {
          await sweep.look();
          await rescue.idle();
        },
      });
    },
    async popped(workerId, count = 1, fields = { workflowType: 'claims' }) {
      const queue = typeof fields['queue'] === 'string' ? fields['queue'] : QUEUE;
      const ids = Array.from({ length: count }, () => stub.add(queue, fields));
      await conductor.poll({ queue, count, waitMs: 5, workerId, domain: undefined });
      return ids;
    },
    async age(ms) {
      for (const [incarnation, moments] of Object.entries(await ledgers.other.hgetall(suspectsKey))) {
        const aged = moments.split(' ').map((moment) => Number(moment) - ms);
        await ledgers.other.hset(suspectsKey, incarnation, aged.join(' '));
      }
    },
    async suspected(incarnation) {
      await ledgers.other.hset(suspectsKey, incarnation, String(Date.now() - 60_000));
    },
    givenBack: () => stub.updates.map(({ taskId }) => taskId).sort(),
    suspects: () => ledgers.other.hkeys(suspectsKey),
    async [Symbol.asyncDispose]() {
      giveUp.abort();
      await Promise.all(sweeps.map((sweep) => sweep.stop()));
      await ledgers[Symbol.asyncDispose]();
      await stub[Symbol.asyncDispose]();
      await close();
    },
  };
}

/** As though Redis' clock were further on, where the sweep reads it. */
export async function withRedisAhead({ store }: Sweeper, ms: number, act: () => Promise<void>): Promise<void> {
  const suspectsNow = store.suspects;
  Object.assign(store, {
    async suspects() {
      const { now, found } = await suspectsNow();
      return { now: now + ms, found };
    },
  });
  try {
    await act();
  } finally {
    Object.assign(store, { suspects: suspectsNow });
  }
}
