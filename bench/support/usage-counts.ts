import type { UsageKind } from '../../src/telemetry/usage-days.ts';
import { PREFIX, type World } from './world.ts';

/** What was counted of one model on all days, whoever used it. */
export async function countedOf(
  { redis }: World,
  integration: string,
  model: string,
  kind: UsageKind,
): Promise<number> {
  const days = (await redis.keys(`${PREFIX}run:usage:*`)).filter((key) => /:[\d-]{10}$/.test(key));
  const field = JSON.stringify([integration, model, kind]);
  const each = await Promise.all(days.map(async (day) => Number((await redis.hget(day, field)) ?? 0)));
  return each.reduce((sum, count) => sum + count, 0);
}
