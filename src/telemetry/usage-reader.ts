import type { Cluster, Redis } from 'ioredis';
import { z } from 'zod';
import { escapeGlob, type UsageKeys } from '../redis/keys.ts';
import { USAGE_KINDS, type UsageCounts, type UsageKind } from './usage-days.ts';

/** What one model was used on one day, whoever used it. */
export interface ModelDay extends UsageCounts {
  readonly day: string;
  readonly model: string;
}

/** What one subject used of one model on some days together. */
export interface SubjectUse extends UsageCounts {
  /** `USER:app:claims`. */
  readonly subject: string;
  readonly integration: string;
  readonly model: string;
}

/** Each rejects where Redis does not answer. */
export interface UsageReader {
  /**
   * Of one integration's models, day by day in the order given, the models by name. `models`: of these alone, which costs no
   * more than they are, and for none nothing is read; `every`: of all that were ever used, with those that are gone.
   */
  ofIntegration(integration: string, days: readonly string[], models: readonly string[] | 'every'): Promise<ModelDay[]>;
  /** Over all of these days, in no order. `subject`: of this one alone. Whatever nobody is known for is in no such sum. */
  bySubject(days: readonly string[], subject?: string): Promise<SubjectUse[]>;
}

/** So many days are asked for at once; between them others have their turn, here and in Redis. */
const DAYS_AT_ONCE = 16;
/** Redis looks at about so many fields in one step of a scan. */
const FIELDS_AT_ONCE = 1_000;

const kind = z.enum(USAGE_KINDS);
const modelField = z.tuple([z.string(), z.string(), kind]);
const subjectField = z.tuple([z.string(), z.string(), z.string(), kind]);
const count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);

type Counts = Record<UsageKind, number>;

export function createUsageReader({ redis, keys }: { redis: Redis | Cluster; keys: UsageKeys }): UsageReader {
  async function ofDay(integration: string, day: string, models: readonly string[] | 'every'): Promise<ModelDay[]> {
    if (models === 'every') return modelsOf(Object.entries(await redis.hgetall(keys.totals(day))), integration, day);
    const fields = models.flatMap((model) => USAGE_KINDS.map((one) => JSON.stringify([integration, model, one])));
    const counts = await redis.hmget(keys.totals(day), ...fields);
    const there = fields.flatMap((field, index) => {
      const value = counts[index] ?? null;
      return value === null ? [] : [[field, value] as const];
    });
    return modelsOf(there, integration, day);
  }

  return {
    async ofIntegration(integration, days, models) {
      if (models.length === 0) return [];
      const all: ModelDay[] = [];
      for (let from = 0; from < days.length; from += DAYS_AT_ONCE) {
        const some = days.slice(from, from + DAYS_AT_ONCE).map((day) => ofDay(integration, day, models));
        all.push(...(await Promise.all(some)).flat());
      }
      return all;
    },
    async bySubject(days, subject) {
      const uses = new Map<string, Omit<SubjectUse, UsageKind> & Counts>();
      const match = subject === undefined ? '*' : `${escapeGlob(JSON.stringify([subject]).slice(0, -1))},*`;
      for (const day of days) {
        for await (const [field, value] of scanned(redis, keys.subjects(day), match)) {
          const read = readField(subjectField, field);
          const number = count.safeParse(value);
          if (read === undefined || !number.success) continue;
          const [who, integration, model, counted] = read;
          const key = JSON.stringify([who, integration, model]);
          const use = uses.get(key) ?? { subject: who, integration, model, ...none() };
          use[counted] += number.data;
          uses.set(key, use);
        }
      }
      return [...uses.values()];
    },
  };
}

/** Each field once: a scan may bring one twice, and it must not count so. */
async function* scanned(redis: Redis | Cluster, key: string, match: string): AsyncGenerator<[string, string]> {
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const [next, items] = await redis.hscan(key, cursor, 'MATCH', match, 'COUNT', FIELDS_AT_ONCE);
    for (let index = 0; index < items.length; index += 2) {
      const field = items[index] ?? '';
      if (!seen.has(field)) yield [field, items[index + 1] ?? ''];
      seen.add(field);
    }
    cursor = next;
  } while (cursor !== '0');
}

function modelsOf(fields: readonly (readonly [string, string])[], integration: string, day: string): ModelDay[] {
  const beginning = `${JSON.stringify([integration]).slice(0, -1)},`;
  const models = new Map<string, Omit<ModelDay, UsageKind> & Counts>();
  for (const [name, value] of fields) {
    // Those of other integrations are many, and reading them costs more than to look.
    if (!name.startsWith(beginning)) continue;
    const read = readField(modelField, name);
    const number = count.safeParse(value);
    // Nothing of ours: somebody typed it.
    if (read === undefined || !number.success) continue;
    const [, model, counted] = read;
    const entry = models.get(model) ?? { day, model, ...none() };
    entry[counted] = number.data;
    models.set(model, entry);
  }
  return [...models.values()].sort((one, other) => (one.model < other.model ? -1 : 1));
}

function none(): Counts {
  return Object.fromEntries(USAGE_KINDS.map((one) => [one, 0])) as Counts;
}

function readField<Field>(form: z.ZodType<Field>, text: string): Field | undefined {
  try {
    const read = form.safeParse(JSON.parse(text));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}
