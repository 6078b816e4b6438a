import type { Logger } from 'pino';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { Limit } from '../limits/limit-book.ts';
import { momentOf } from '../limits/limit-error.ts';
import { script } from '../redis/script.ts';
import { USAGE_KEPT_DAYS } from '../telemetry/usage-days.ts';
import type { Spent, SpentParts } from './spent.ts';

/** Of a limit, what is worth a warning. */
export const WARN_AT = 0.8;

/** KEYS: warnings of a period. ARGV: field, value, when it expires in ms. Answers 1 to the first who says it, else 0. */
const FIRST = script(`
local first = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
if first == 1 then redis.call('PEXPIREAT', KEYS[1], ARGV[3]) end
return first
`);

export interface LimitWarnings {
  /** Warns once a period in the whole cluster where it is time: in the log of one replica, and on record. In the background. */
  look(limit: Limit, spent: Spent): void;
}

/** Of so many limits it is remembered here that they were warned of; of others Redis knows. */
const REMEMBERED = 10_000;

export function createLimitWarnings(
  parts: Pick<SpentParts, 'redis' | 'keys' | 'clock'> & { readonly log: Logger },
): LimitWarnings {
  const { redis, keys, clock, log } = parts;
  const warned = new Set<string>();

  async function warn(limit: Limit, { used, period }: Spent): Promise<void> {
    const { kind, name, maxTokens, frequency } = limit;
    const value = JSON.stringify({ at: Math.floor(clock.now()), used, kind, name, frequency });
    const args = [warningField(limit), value, period.endsAt + USAGE_KEPT_DAYS * 86_400_000];
    if ((await FIRST.run(redis, [keys.warnings(period.name)], args)) !== 1) return;
    log.warn(
      { kind, name, used, maxTokens, frequency, resetsAt: momentOf(period.endsAt) },
      `The token limit of the ${kind} ${name} is used up to ${Math.floor((100 * used) / maxTokens)} %`,
    );
  }

  return {
    look(limit, spent) {
      if (limit.maxTokens === 0 || spent.used < WARN_AT * limit.maxTokens) return;
      const key = `${spent.period.name} ${warningField(limit)}`;
      if (warned.has(key)) return;
      if (warned.size >= REMEMBERED) warned.clear();
      warned.add(key);
      warn(limit, spent).catch((error: unknown) => {
        warned.delete(key);
        log.debug({ reason: messageOf(error) }, 'A warning about a token limit is not on record yet');
      });
    },
  };
}

/** A limit that was raised is another one, of which may be warned again. */
function warningField({ account, maxTokens }: Limit): string {
  return JSON.stringify([account, maxTokens]);
}

const warning = z.object({ at: z.number() });

/** When each of these limits was warned of in its period, in ms; undefined where it was not. */
export async function readWarnings(
  { redis, keys }: Pick<SpentParts, 'redis' | 'keys'>,
  asked: readonly { readonly limit: Limit; readonly period: { readonly name: string } }[],
): Promise<readonly (number | undefined)[]> {
  const texts = await Promise.all(
    asked.map(({ limit, period }) => redis.hget(keys.warnings(period.name), warningField(limit))),
  );
  return texts.map((text) => {
    if (text === null) return undefined;
    try {
      return warning.parse(JSON.parse(text)).at;
    } catch {
      // Nothing of ours: somebody typed it.
      return undefined;
    }
  });
}
