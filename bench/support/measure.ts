import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** The kernel's unit in /proc, USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time of a process so far, in milliseconds; from /proc (fields 14 and 15 of proc(5) stat). */
export async function cpuMs(processId: number): Promise<number> {
  const stat = await readFile(`/proc/${processId}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

/** Resident memory of a process in megabytes (10^6 bytes). */
export async function residentMb(processId: number): Promise<number> {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${processId}/status`, 'utf8')) ?? [];
  return (Number(kilobytes) * 1_024) / 1_000_000;
}

export interface Sample<Value> {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly value: Value;
}

export interface Sampler<Value> {
  readonly samples: readonly Sample<Value>[];
  /** Ends it. A probe that failed is left out. */
  stop(): Promise<readonly Sample<Value>[]>;
}

/** Asks a probe again and again, in the background. */
export function startSampler<Value>(everyMs: number, probe: () => Promise<Value>): Sampler<Value> {
  const samples: Sample<Value>[] = [];
  const stopping = new AbortController();
  const done = (async () => {
    while (!stopping.signal.aborted) {
      const begun = performance.now();
      await probe().then(
        (value) => samples.push({ at: Date.now(), value }),
        () => undefined,
      );
      const left = Math.max(0, everyMs - (performance.now() - begun));
      await sleep(left, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    samples,
    async stop() {
      stopping.abort();
      await done;
      return samples;
    },
  };
}

/** What a growing count was at a moment, on a straight line between the samples before and after. */
export function valueAt(samples: readonly Sample<number>[], at: number): number {
  const index = samples.findIndex((sample) => sample.at >= at);
  const after = samples[index] ?? samples.at(-1);
  const before = samples[index - 1] ?? after;
  if (before === undefined || after === undefined) throw new Error('nothing was sampled');
  if (after.at === before.at) return after.value;
  const part = Math.min(1, (at - before.at) / (after.at - before.at));
  return before.value + (after.value - before.value) * part;
}

/** The value below which this part of them lies; the nearest rank. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * part) - 1))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Least squares: how much the value grows a minute. */
export function slopePerMinute(samples: readonly Sample<number>[]): number {
  const at = mean(samples.map((sample) => sample.at));
  const value = mean(samples.map((sample) => sample.value));
  const covariance = mean(samples.map((sample) => (sample.at - at) * (sample.value - value)));
  return (covariance / mean(samples.map((sample) => (sample.at - at) ** 2))) * 60_000;
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
