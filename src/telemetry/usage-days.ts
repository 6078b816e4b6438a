/** Days are UTC's, by the clock of whoever counts: `2026-11-26`. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** When a day began, in milliseconds. */
export function startOfDay(day: string): number {
  return Date.parse(`${day}T00:00:00Z`);
}

const DAY_MS = 86_400_000;

/** The last days, today among them, oldest first. */
export function lastDays(count: number, now = Date.now()): string[] {
  return Array.from({ length: count }, (_, index) => dayOf(now - (count - 1 - index) * DAY_MS));
}

/** What is counted is kept for so many days: a month can be compared with that of a year ago. */
export const USAGE_KEPT_DAYS = 400;

/** What is counted; the last part of every field. */
export const USAGE_KINDS = ['calls', 'promptTokens', 'completionTokens', 'cacheHits'] as const;
export type UsageKind = (typeof USAGE_KINDS)[number];
export type UsageCounts = Readonly<Record<UsageKind, number>>;
