import type { Cluster, Redis } from 'ioredis';
import { z } from 'zod';
import type { UsageKeys } from '../redis/keys.ts';
import { USAGE_KINDS, type UsageCounts } from './usage-days.ts';

/** What one model was used on one day, whoever used it. */
export interface ModelDay extends UsageCounts {
  readonly day: string;
  readonly model: string;
}

export interface UsageReader {
  /** Of one integration's models, day by day in the order given, the models by name. Rejects where Redis does not answer. */
  ofIntegration(integration: string, days: readonly string[]): Promise<ModelDay[]>;
}

const field = z.tuple([z.string(), z.string(), z.enum(USAGE_KINDS)]);
const count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);

export function createUsageReader({ redis, keys }: { redis: Redis | Cluster; keys: UsageKeys }): UsageReader {
  return {
    async ofIntegration(integration, days) {
      const hashes = await Promise.all(days.map((day) => redis.hgetall(keys.totals(day))));
      return days.flatMap((day, index) => modelsOf(hashes[index] ?? {}, integration, day));
    },
  };
}

const NONE: UsageCounts = { calls: 0, promptTokens: 0, completionTokens: 0, cacheHits: 0 };

function modelsOf(hash: Readonly<Record<string, string>>, integration: string, day: string): ModelDay[] {
  const models = new Map<string, { -readonly [K in keyof ModelDay]: ModelDay[K] }>();
  for (const [name, value] of Object.entries(hash)) {
    const read = readField(name);
    const number = count.safeParse(value);
    // Nothing of ours: somebody typed it.
    if (read === undefined || !number.success || read.integration !== integration) continue;
    const entry = models.get(read.model) ?? { day, model: read.model, ...NONE };
    entry[read.kind] = number.data;
    models.set(read.model, entry);
  }
  return [...models.values()].sort((one, other) => (one.model < other.model ? -1 : 1));
}

function readField(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = field.safeParse(value);
  if (!read.success) return undefined;
  const [integration, model, kind] = read.data;
  return { integration, model, kind };
}
