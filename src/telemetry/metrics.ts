import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What `/metrics` shows; the table in `docs/metrics.md` says the same. Labels hold names from the catalog only. */
export interface Metrics {
  readonly registry: Registry;
  /** A task ended: `outcome` is `complete`, `fail` or `give-back`; `code` is the error's, or ''. */
  taskEnded(labels: { type: string; outcome: string; code: string }, seconds: number): void;
  /** A call of Bedrock ended; `code` is the error's, or ''. */
  callEnded(labels: { integration: string; model: string; code: string }, seconds: number): void;
  tokens(
    labels: { integration: string; model: string },
    prompt: number | undefined,
    completion: number | undefined,
  ): void;
}

export interface Gauges {
  readonly tasksHeld: () => number;
  readonly lanes: () => Iterable<readonly [string, { readonly running: number; readonly waiting: number }]>;
  readonly ready: () => boolean;
}

const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export function createMetrics(gauges: Gauges): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const prefix = 'bedrock_cohere_';

  const tasks = new Histogram({
    name: `${prefix}task_seconds`,
    help: 'How long tasks were held, from the poll to the outcome.',
    labelNames: ['type', 'outcome', 'code'],
    buckets: SECONDS,
    registers,
  });
  const calls = new Histogram({
    name: `${prefix}call_seconds`,
    help: 'How long calls of Bedrock took.',
    labelNames: ['integration', 'model', 'code'],
    buckets: SECONDS,
    registers,
  });
  const tokens = new Counter({
    name: `${prefix}tokens_total`,
    help: 'Tokens as Bedrock counted them.',
    labelNames: ['integration', 'model', 'kind'],
    registers,
  });
  new Gauge({
    name: `${prefix}tasks_held`,
    help: 'Tasks held, or places reserved by open polls.',
    registers,
    collect() {
      this.set(gauges.tasksHeld());
    },
  });
  new Gauge({
    name: `${prefix}ready`,
    help: '1 while the worker takes tasks.',
    registers,
    collect() {
      this.set(gauges.ready() ? 1 : 0);
    },
  });
  new Gauge({
    name: `${prefix}lane_calls`,
    help: 'Calls of each lane (integration and resolved model), running or waiting.',
    labelNames: ['lane', 'state'],
    registers,
    collect() {
      this.reset();
      for (const [name, { running, waiting }] of gauges.lanes()) {
        // An ARN's account is nobody's business here; its last part names the model.
        const lane = name.replace(/arn:[^/]*:([^:/]+\/[^/]+)$/, '$1');
        this.set({ lane, state: 'running' }, running);
        this.set({ lane, state: 'waiting' }, waiting);
      }
    },
  });

  return {
    registry,
    taskEnded: (labels, seconds) => tasks.observe(labels, seconds),
    callEnded: (labels, seconds) => calls.observe(labels, seconds),
    tokens(labels, prompt, completion) {
      if (prompt !== undefined) tokens.inc({ ...labels, kind: 'prompt' }, prompt);
      if (completion !== undefined) tokens.inc({ ...labels, kind: 'completion' }, completion);
    },
  };
}
