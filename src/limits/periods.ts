import type { Frequency } from '../record-fields.ts';

/** The time that a limit counts over: a day, a week from Monday (ISO 8601) or a month, all of UTC. */
export interface Period {
  /** `2026-11-26`, `2026-W48` or `2026-11`. */
  readonly name: string;
  /** In milliseconds; the end is the next one's start. */
  readonly startsAt: number;
  readonly endsAt: number;
}

export type PeriodAt = (frequency: Frequency, ms: number) => Period;

const DAY_MS = 86_400_000;

/** The period of a moment, in milliseconds since 1970. */
export const periodAt: PeriodAt = (frequency, ms) => {
  const date = new Date(ms);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  switch (frequency) {
    case 'daily': {
      const startsAt = Date.UTC(year, month, day);
      return { name: dateOf(startsAt), startsAt, endsAt: startsAt + DAY_MS };
    }
    case 'weekly': {
      const sinceMonday = (date.getUTCDay() + 6) % 7;
      const startsAt = Date.UTC(year, month, day - sinceMonday);
      return { name: weekOf(startsAt), startsAt, endsAt: startsAt + 7 * DAY_MS };
    }
    case 'monthly': {
      const startsAt = Date.UTC(year, month, 1);
      return { name: dateOf(startsAt).slice(0, 7), startsAt, endsAt: Date.UTC(year, month + 1, 1) };
    }
  }
};

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** ISO 8601: a week belongs to the year of its Thursday, and is counted from that year's first one. */
function weekOf(monday: number): string {
  const thursday = monday + 3 * DAY_MS;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}
