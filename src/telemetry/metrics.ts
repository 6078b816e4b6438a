import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Limit, LimitKind } from '../limits/limit-book.ts';

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
  /** Answers that were looked for among those kept: how many were there, how many were not. */
  cacheAsked(labels: { integration: string; model: string }, hits: number, misses: number): void;
  /** A token limit refused a call. */
  refusedByLimit(labels: { kind: LimitKind; name: string; frequency: string }): void;
}

export interface Gauges {
  readonly tasksHeld: () => number;
  readonly lanes: () => Iterable<readonly [string, { readonly running: number; readonly waiting: number }]>;
  readonly ready: () => boolean;
  /** Tasks that sleep at Conductor, of all workers, by lane. */
  readonly sleeping: () => Iterable<readonly [lane: string, count: number]>;
  /** What throttling leaves of a lane; undefined while it is whole. */
  readonly throttledTo: (lane: string) => number | undefined;
  /** Outcomes that Conductor did not take at once. */
  readonly outcomesWaiting: () => number;
  /** Workers that live. */
  readonly workers: () => number;
  /** What is used of token limits, as far as this worker heard. */
  readonly limitUses: () => Iterable<{ readonly limit: Limit; readonly used: number }>;
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
  const cacheAnswers = new Counter({
    name: `${prefix}cache_answers_total`,
    help: 'Answers that were looked for among those kept: found (hit) or not (miss).',
    labelNames: ['integration', 'model', 'result'],
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
        const lane = withoutAccount(name);
        // Added up: what is left of two ARNs may be the same.
        this.inc({ lane, state: 'running' }, running);
        this.inc({ lane, state: 'waiting' }, waiting);
      }
    },
  });
  new Gauge({
    name: `${prefix}lane_sleeping`,
    help: 'Tasks of each lane that sleep at Conductor until their turn, of all workers.',
    labelNames: ['lane'],
    registers,
    collect() {
      this.reset();
      for (const [name, count] of gauges.sleeping()) this.inc({ lane: withoutAccount(name) }, count);
    },
  });
  new Gauge({
    name: `${prefix}lane_throttled_limit`,
    help: 'Calls at once that throttling leaves of each lane in use; absent while it is whole.',
    labelNames: ['lane'],
    registers,
    collect() {
      this.reset();
      for (const [name] of gauges.lanes()) {
        const limit = gauges.throttledTo(name);
        if (limit !== undefined) this.set({ lane: withoutAccount(name) }, limit);
      }
    },
  });
  new Gauge({
    name: `${prefix}outcomes_waiting`,
    help: 'Outcomes that Conductor did not take at once; answers among them are kept in Redis.',
    registers,
    collect() {
      this.set(gauges.outcomesWaiting());
    },
  });
  new Gauge({
    name: `${prefix}workers`,
    help: 'Workers that live, this one among them, as it last heard.',
    registers,
    collect() {
      this.set(gauges.workers());
    },
  });
  const refused = new Counter({
    name: `${prefix}limit_refused_total`,
    help: 'Calls that a token limit refused.',
    labelNames: ['kind', 'name', 'frequency'],
    registers,
  });
  new Gauge({
    name: `${prefix}limit_used_ratio`,
    help: 'How much of a token limit is used in its period, 1 being all, as this worker last heard; users apart.',
    labelNames: ['kind', 'name', 'frequency'],
    registers,
    collect() {
      this.reset();
      const ratios = new Map<string, number>();
      for (const { limit, used } of gauges.limitUses()) {
        const { kind, name, frequency, maxTokens } = limit;
        if (kind === 'user' || maxTokens <= 0) continue;
        const labels = { kind, name: limitName(kind, name), frequency };
        const key = JSON.stringify(labels);
        // Of two that look the same the one that is nearer to its end.
        const ratio = Math.max(ratios.get(key) ?? 0, used / maxTokens);
        ratios.set(key, ratio);
        this.set(labels, ratio);
      }
    },
  });

  return {
    registry,
    taskEnded: (labels, seconds) => tasks.observe(labels, seconds),
    callEnded: (labels, seconds) => calls.observe({ ...labels, model: withoutAccount(labels.model) }, seconds),
    tokens({ integration, model }, prompt, completion) {
      const labels = { integration, model: withoutAccount(model) };
      if (prompt !== undefined) tokens.inc({ ...labels, kind: 'prompt' }, prompt);
      if (completion !== undefined) tokens.inc({ ...labels, kind: 'completion' }, completion);
    },
    cacheAsked({ integration, model }, hits, misses) {
      const labels = { integration, model: withoutAccount(model) };
      cacheAnswers.inc({ ...labels, result: 'hit' }, hits);
      cacheAnswers.inc({ ...labels, result: 'miss' }, misses);
    },
    refusedByLimit: ({ kind, name, frequency }) => refused.inc({ kind, name: limitName(kind, name), frequency }),
  };
}

/** Users are many, and their names are addresses: they are counted together. A model may be named by an ARN. */
function limitName(kind: LimitKind, name: string): string {
  if (kind === 'user') return '';
  return kind === 'model' ? withoutAccount(name) : name;
}

/** An ARN's account is nobody's business here; what follows it names the model. */
function withoutAccount(name: string): string {
  return name.replace(/arn:[^/]*:([^:/]+\/.+)$/, '$1').replace(/(arn:(?:[^:]*:){3})\d{12}(?=:)/, '$1');
}
