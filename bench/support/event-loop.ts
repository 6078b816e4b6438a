import {
  constants,
  monitorEventLoopDelay,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import { round } from './measure.ts';

/** A time in which nothing else could run, in milliseconds of `performance.now()`. */
export interface Span {
  readonly from: number;
  readonly ms: number;
}

/** One turn of the event loop, and how much of it this thread ran: the rest others had the processor. */
export interface Turn extends Span {
  readonly cpuMs: number;
}

export interface LoopFigures {
  /** The longest turn of the event loop, and the one in which this thread ran longest. */
  readonly longestMs: number;
  readonly longestCpuMs: number;
  /** How long something that comes up has to wait at the 99.9th percentile, were one to come up every millisecond. */
  readonly p999Ms: number;
  /** The same, had every turn taken no longer than this thread ran in it. */
  readonly p999CpuMs: number;
}

/** Shorter turns are taken for none. */
const NOTED_MS = 0.2;

/** Those without a pause of the collector in them. */
export function apartFrom<T extends Span>(spans: readonly T[], pauses: readonly Span[]): T[] {
  return spans.filter(
    ({ from, ms }) => !pauses.some((pause) => pause.from < from + ms && from < pause.from + pause.ms),
  );
}

/** What comes up each millisecond of some time waits for the end of the turn that it comes up in. */
export function loopFigures(turns: readonly Turn[], overMs: number): LoopFigures {
  const longest = (lengths: readonly number[]): number => round(lengths.reduce((most, ms) => Math.max(most, ms), 0));
  const p999 = (lengths: readonly number[]): number => {
    const waits = lengths.flatMap((ms) => Array.from({ length: Math.ceil(ms) }, (_, late) => ms - late));
    return round(waits.sort((a, b) => b - a)[Math.floor(overMs / 1_000)] ?? 0);
  };
  const [walls, runs] = [turns.map(({ ms }) => ms), turns.map(({ cpuMs }) => cpuMs)];
  return { longestMs: longest(walls), longestCpuMs: longest(runs), p999Ms: p999(walls), p999CpuMs: p999(runs) };
}

/**
 * Watches every turn of this process' event loop, by going round all the time, and the collector's pauses. `stop` says
 * what was seen: all of it, and without the turns in which a major collection paused; and Node's own p99.9.
 */
export function watchEventLoop() {
  const turns: Turn[] = [];
  const majors: Span[] = [];
  const began = performance.now();
  let last = began;
  let lastCpu = threadCpuMs();
  let running = true;
  const note = (entries: readonly PerformanceEntry[]): void => {
    for (const entry of entries) {
      const { kind } = (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail;
      if (kind !== constants.NODE_PERFORMANCE_GC_MINOR) majors.push({ from: entry.startTime, ms: entry.duration });
    }
  };
  const collections = new PerformanceObserver((list) => note(list.getEntries()));
  collections.observe({ entryTypes: ['gc'] });
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  setImmediate(function turn() {
    const now = performance.now();
    const cpu = threadCpuMs();
    if (now - last >= NOTED_MS) turns.push({ from: last, ms: now - last, cpuMs: cpu - lastCpu });
    last = now;
    lastCpu = cpu;
    if (running) setImmediate(turn);
  });

  return {
    async stop() {
      running = false;
      const overMs = performance.now() - began;
      histogram.disable();
      // The observer hears of collections a turn late.
      await new Promise((resolve) => setTimeout(resolve, 20));
      note(collections.takeRecords());
      collections.disconnect();
      return {
        overMs: round(overMs, 0),
        all: loopFigures(turns, overMs),
        majorsApart: loopFigures(apartFrom(turns, majors), overMs),
        majors: { count: majors.length, longestMs: round(majors.reduce((most, { ms }) => Math.max(most, ms), 0)) },
        // It counts from one tick of its timer to the next.
        nodeP999Ms: round(histogram.percentile(99.9) / 1e6 - 1),
      };
    },
  };
}

export type LoopReport = Awaited<ReturnType<ReturnType<typeof watchEventLoop>['stop']>>;

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
