import type { Cluster, Redis } from 'ioredis';
import { answeredWrite } from './answered.ts';
import { ANY, type Edit, type FieldEdit, isFieldEdit, isKeyEdit, isWrite, type MemberEdit } from './edits.ts';
import { script } from './script.ts';
import { beforeArg, type Described, RECORDING, recordArgs, recordingArgs, type Trail } from './trail.ts';

/**
 * Looks at everything first, which also finds keys of another type, puts it on record, and writes only then: a script that
 * fails half way would leave half of its writes. ARGV from `first` on: `h` key field before after; `s` key member and `+`, `-` or `?` (only
 * made sure of); `k` key; `m` key, behind all members of that set. A text is led by `=`, an absent one is `-`, any is `*`.
 * What goes on record follows: of `h` and `k` how what stood there is shown, of all but `s` the strings of `record`.
 */
const COMMIT = script(`${RECORDING}
local function text(arg) if string.sub(arg, 1, 1) == '=' then return string.sub(arg, 2) end return false end
local function past(at) return at + 1 + math.max(0, tonumber(ARGV[at])) end
local at = first
while at <= #ARGV do
  local key = KEYS[tonumber(ARGV[at + 1])]
  if ARGV[at] == 'h' then
    local now = redis.call('HGET', key, ARGV[at + 2])
    if ARGV[at + 3] ~= '*' and now ~= text(ARGV[at + 3]) then return 0 end
    at = past(at + 6)
  elseif ARGV[at] == 's' then
    local there = redis.call('SISMEMBER', key, ARGV[at + 2])
    if ARGV[at + 3] == '?' and there == 0 then return 0 end
    at = at + 4
  elseif ARGV[at] == 'k' then
    at = past(at + 3)
  else
    at = past(at + 2)
  end
end

-- A grant's words hold no secret; whatever else somebody wrote there might.
local function words(value) return string.match(value, '^[%u, ]*$') and value or '********' end
local function found(mark, value)
  if mark ~= '?' then return text(mark), false end
  local json, cut = shown(cjson.encode(words(value)))
  return json, cut
end
local function list(members)
  local some, size = {}, 0
  for _, member in ipairs(members) do
    size = size + #member
    if size > AT_MOST then break end
    some[#some + 1] = shown(member)
  end
  if #members == 0 then return false, false end
  if #some == 0 then return '[]', tostring(#members) end
  return cjson.encode(some), #some < #members and tostring(#members)
end
-- The members of a set, or the fields and words of a hash; of a large one some.
local function whole(key)
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'set' and kind ~= 'hash' then return cjson.encode('(a ' .. kind .. ')'), false end
  local total = redis.call(kind == 'set' and 'SCARD' or 'HLEN', key)
  local parts, count, size, cursor = {}, 0, 0, '0'
  repeat
    local page = redis.call(kind == 'set' and 'SSCAN' or 'HSCAN', key, cursor, 'COUNT', 200)
    cursor = page[1]
    for i = 1, #page[2], kind == 'set' and 1 or 2 do
      size = size + #page[2][i]
      if size > AT_MOST then break end
      local name = shown(page[2][i])
      if kind == 'set' then parts[#parts + 1] = name
      else parts[name] = words(page[2][i + 1]) end
      count = count + 1
    end
  until cursor == '0' or size > AT_MOST
  return count == 0 and '{}' or cjson.encode(parts), count < total and tostring(total)
end

-- Everything goes on record first and is written then: a record that Redis refuses leaves nothing half done.
local todo, seen, gone = {}, {}, {}
local function later(...) todo[#todo + 1] = {...} end
-- What will stand there by what is to be done so far; false for nothing.
local function standing(key, name, command)
  local known = seen[key] and seen[key][name]
  if known ~= nil then return known end
  if gone[key] then return false end
  local now = redis.call(command, key, name)
  if command == 'SISMEMBER' then return now == 1 end
  return now
end
local function put(key, name, value)
  seen[key] = seen[key] or {}
  seen[key][name] = value
end

local added, removed = {}, {}
at = first
while at <= #ARGV do
  local key = KEYS[tonumber(ARGV[at + 1])]
  if ARGV[at] == 'h' then
    local field, after = ARGV[at + 2], text(ARGV[at + 4])
    local now = ARGV[at + 4] ~= ARGV[at + 3] and standing(key, field, 'HGET')
    if ARGV[at + 4] ~= ARGV[at + 3] and now ~= after then
      local before, cut = false, false
      if now then before, cut = found(ARGV[at + 5], now) end
      record(at + 6, not now and 'create' or after and 'update' or 'delete', {before = before, beforeCut = cut})
      if after then later('HSET', key, field, after) else later('HDEL', key, field) end
      put(key, field, after)
    end
    at = past(at + 6)
  elseif ARGV[at] == 's' then
    local member, isMember = ARGV[at + 2], ARGV[at + 3] == '+'
    if ARGV[at + 3] ~= '?' and standing(key, member, 'SISMEMBER') ~= isMember then
      local into = isMember and added or removed
      into[key] = into[key] or {}
      table.insert(into[key], member)
      later(isMember and 'SADD' or 'SREM', key, member)
      put(key, member, isMember)
    end
    at = at + 4
  elseif ARGV[at] == 'k' then
    if not gone[key] and redis.call('EXISTS', key) == 1 then
      local before, cut = text(ARGV[at + 2]), false
      if ARGV[at + 2] == '?' then before, cut = whole(key) end
      record(at + 3, 'delete', {before = before, beforeCut = cut})
    end
    later('UNLINK', key)
    gone[key], seen[key] = true, nil
    at = past(at + 3)
  else
    if added[key] or removed[key] then
      local before, beforeCut = list(removed[key] or {})
      local after, afterCut = list(added[key] or {})
      record(at + 2, 'update', {before = before, beforeCut = beforeCut, after = after, afterCut = afterCut})
    end
    added[key], removed[key] = nil, nil
    at = past(at + 2)
  end
end
for _, command in ipairs(todo) do redis.call(unpack(command)) end
return 1
`);

/**
 * Writes all edits in one step of Redis, or none: false where something is not what was planned upon. What they change goes
 * on record in that step, and nothing else does. Throws UNREACHABLE, with Redis' own words where it refuses; where it does
 * not answer, they may have been written, all of them.
 */
export async function commit(redis: Redis | Cluster, edits: readonly Edit[], trail: Trail): Promise<boolean> {
  const { keys, args } = parameters(edits, trail);
  return (await answeredWrite(COMMIT.run(redis, keys, args))) === 1;
}

/** The same for who holds keys under WATCH on this connection: false as well where one of them has changed since. */
export async function commitWatched(redis: Redis | Cluster, edits: readonly Edit[], trail: Trail): Promise<boolean> {
  const { keys, args } = parameters(edits, trail);
  return (await answeredWrite(COMMIT.runWatched(redis, keys, args))) === 1;
}

function parameters(edits: readonly Edit[], trail: Trail): { keys: string[]; args: (string | number)[] } {
  const keys = [trail.stream, ...new Set(edits.map(({ key }) => key))];
  const indexes = new Map(keys.map((key, index) => [key, index + 1]));
  const indexOf = ({ key }: Edit): number => indexes.get(key) ?? 0;
  const described = trail.describe(edits);
  const args = recordingArgs(trail);
  const sets = new Map<string, { readonly index: number; readonly described: Described | undefined }>();
  for (const [at, edit] of edits.entries()) {
    const says = described[at];
    const index = indexOf(edit);
    if (isKeyEdit(edit)) {
      args.push('k', index, beforeArg(says), ...recordArgs(says));
    } else if (isFieldEdit(edit)) {
      const { field, before, after } = edit;
      args.push('h', index, field, marked(before), marked(after), beforeArg(says), ...recordArgs(says));
    } else {
      args.push('s', index, edit.member, signOf(edit));
      if (isWrite(edit) && !sets.has(edit.key)) sets.set(edit.key, { index, described: says });
    }
  }
  for (const { index, described: says } of sets.values()) args.push('m', index, ...recordArgs(says));
  return { keys, args };
}

function signOf({ onlyMadeSure, isMember }: MemberEdit): string {
  if (onlyMadeSure) return '?';
  return isMember ? '+' : '-';
}

function marked(text: FieldEdit['before']): string {
  if (text === ANY) return '*';
  return text === undefined ? '-' : `=${text}`;
}
