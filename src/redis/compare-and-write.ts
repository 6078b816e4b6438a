import type { Cluster, Redis } from 'ioredis';
import { script } from './script.ts';

/** A field of a hash as it was read; undefined: it was not there. */
export interface ExpectedField {
  readonly key: string;
  readonly field: string;
  readonly value: string | undefined;
}

/** A field of a hash as it shall be; undefined: gone. */
export interface WrittenField {
  readonly key: string;
  readonly field: string;
  readonly value: string | undefined;
}

/** KEYS hashes. ARGV number of expectations, then for each of them and each write: number of its key, field, 1 or 0 (absent), value. */
const COMPARE_AND_WRITE = script(`
-- Before anything is written: a key that is no hash ends the script here, and a script that ends leaves what it wrote.
for _, key in ipairs(KEYS) do redis.call('HLEN', key) end
local expected = tonumber(ARGV[1])
for at = 2, #ARGV, 4 do
  local key, field, there, value = KEYS[tonumber(ARGV[at])], ARGV[at + 1], ARGV[at + 2] == '1', ARGV[at + 3]
  if at < 2 + 4 * expected then
    local found = redis.call('HGET', key, field)
    if found ~= (there and value) then return 0 end
  elseif there then
    redis.call('HSET', key, field, value)
  else
    redis.call('HDEL', key, field)
  end
end
return 1
`);

/**
 * All writes, or none where a field is no longer as it was read: a lost update is impossible. False: nothing was written,
 * read again. Rejects as any command does, where a key is no hash, too; nothing is written then.
 */
export async function compareAndWrite(
  redis: Redis | Cluster,
  expected: readonly ExpectedField[],
  writes: readonly WrittenField[],
): Promise<boolean> {
  const keys = [...new Set([...expected, ...writes].map(({ key }) => key))];
  const args = [...expected, ...writes].flatMap(({ key, field, value }) => [
    keys.indexOf(key) + 1,
    field,
    value === undefined ? 0 : 1,
    value ?? '',
  ]);
  return (await COMPARE_AND_WRITE.run(redis, keys, [expected.length, ...args])) === 1;
}
