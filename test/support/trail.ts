import { commandAuthor } from '../../src/audit/author.ts';
import { readChange } from '../../src/audit/records.ts';
import { createTrail } from '../../src/audit/trail.ts';
import type { KeyNames } from '../../src/redis/keys.ts';
import type { Trail } from '../../src/redis/trail.ts';

/** A trail of a test's own, as a command's; nothing is ever dropped. */
export function testTrail(names: KeyNames): Trail {
  return createTrail({ names, keptForMs: undefined, author: commandAuthor('test') });
}

/** Everything that stands in the stream of changes, the oldest first. */
export async function changesIn(
  redis: { xrange(key: string, from: string, to: string): Promise<[string, string[]][]> },
  names: KeyNames,
) {
  return (await redis.xrange(names.audit, '-', '+')).map(readChange);
}
