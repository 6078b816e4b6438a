import type { Cluster, Redis } from 'ioredis';
import { answered } from './answered.ts';
import { ANY, type Edit, type FieldEdit, isFieldEdit, isKeyEdit } from './edits.ts';
import { script } from './script.ts';

/**
 * Looks at everything first, which also finds keys of another type, and writes only then: a script that fails half way
 * would leave half of its writes. ARGV: `h` key field before after, `s` key member and `+`, `-` or `?` (only made sure
 * of), or `k` key; a text is led by `=`, an absent one is `-`, any is `*`.
 */
const COMMIT = script(`
local function text(arg) if string.sub(arg, 1, 1) == '=' then return string.sub(arg, 2) end return false end
local at = 1
while at <= #ARGV do
  local key = KEYS[tonumber(ARGV[at + 1])]
  if ARGV[at] == 'h' then
    local now = redis.call('HGET', key, ARGV[at + 2])
    if ARGV[at + 3] ~= '*' and now ~= text(ARGV[at + 3]) then return 0 end
    at = at + 5
  elseif ARGV[at] == 's' then
    local there = redis.call('SISMEMBER', key, ARGV[at + 2])
    if ARGV[at + 3] == '?' and there == 0 then return 0 end
    at = at + 4
  else
    at = at + 2
  end
end
at = 1
while at <= #ARGV do
  local key = KEYS[tonumber(ARGV[at + 1])]
  if ARGV[at] == 'h' then
    local after = text(ARGV[at + 4])
    if ARGV[at + 4] ~= ARGV[at + 3] then
      if after then redis.call('HSET', key, ARGV[at + 2], after) else redis.call('HDEL', key, ARGV[at + 2]) end
    end
    at = at + 5
  elseif ARGV[at] == 's' then
    if ARGV[at + 3] ~= '?' then redis.call(ARGV[at + 3] == '+' and 'SADD' or 'SREM', key, ARGV[at + 2]) end
    at = at + 4
  else
    redis.call('UNLINK', key)
    at = at + 2
  end
end
return 1
`);

/**
 * Writes all edits in one step of Redis, or none: false where something is not what was planned upon. Throws UNREACHABLE,
 * with Redis' own words where it refuses; where it does not answer, they may have been written, all of them.
 */
export async function commit(redis: Redis | Cluster, edits: readonly Edit[]): Promise<boolean> {
  const keys = [...new Set(edits.map(({ key }) => key))];
  const indexes = new Map(keys.map((key, index) => [key, index + 1]));
  const args = edits.flatMap((edit): (string | number)[] => {
    const index = indexes.get(edit.key) ?? 0;
    if (isKeyEdit(edit)) return ['k', index];
    return isFieldEdit(edit)
      ? ['h', index, edit.field, marked(edit.before), marked(edit.after)]
      : ['s', index, edit.member, edit.onlyMadeSure ? '?' : edit.isMember ? '+' : '-'];
  });
  return (await answered(COMMIT.run(redis, keys, args))) === 1;
}

function marked(text: FieldEdit['before']): string {
  if (text === ANY) return '*';
  return text === undefined ? '-' : `=${text}`;
}
