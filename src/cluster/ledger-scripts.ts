import { script } from '../redis/script.ts';

/** Redis' clock in milliseconds. */
const NOW = `
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
`;

/** A key of another type, which only a stranger can have made, counts as absent: it must not stop the whole script. */
const READ = `
local function read(key)
  local value = redis.pcall('GET', key)
  if type(value) == 'string' then return value end
  return false
end
local function parts(claim)
  if not claim then return false, false end
  local polls, holder = string.match(claim, '^(%d+) (.+)$')
  return tonumber(polls), holder
end
`;

/** Since when this Redis knows of us, and which server it is: by these, places are not given away that it may have forgotten. */
const SERVER = `
local function epoch_of(key)
  local epoch = redis.call('GET', key)
  if not epoch then
    -- With microseconds: one that is emptied as soon as it was made must not look the same.
    epoch = now .. string.format('.%03d', time[2] % 1000)
    redis.call('SET', key, epoch)
  end
  return epoch
end
local function run_of_server(key)
  local info = redis.pcall('INFO', 'server')
  local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
  local kept = redis.pcall('GET', key)
  local known = type(kept) == 'string' and string.match(kept, '^(%x+) %d+$')
  -- What the one before acknowledged last may be missing here.
  if run ~= '' and known ~= run then redis.call('SET', key, run .. ' ' .. (known and now or 0)) end
  return run
end
`;

/**
 * KEYS workers, epoch, primary. ARGV incarnation, the epoch it knows ('' at first).
 * Says that an incarnation lives. Answers [epoch, 1 or 0, run id of the server, workers with their scores …]; 0: it was
 * declared dead, and must not come back under this name. Scores change while their worker lives: that, and no clock, tells
 * others that it does, so that a failover to a server with another time kills nobody.
 */
export const BEAT = script(`${NOW}${SERVER}
local epoch = epoch_of(KEYS[2])
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if epoch == ARGV[2] and (not score or tonumber(score) == 0) then return {epoch, 0, '', {}} end
redis.call('ZADD', KEYS[1], now, ARGV[1])
return {epoch, 1, run_of_server(KEYS[3]), redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
`);

/**
 * KEYS workers, epoch, primary. The same for one that is no worker: it looks after what leases are judged by, and counts.
 * Answers [epoch, run id of the server, workers that live].
 */
export const LOOK = script(`${NOW}${SERVER}
local epoch = epoch_of(KEYS[2])
return {epoch, run_of_server(KEYS[3]), redis.call('ZCOUNT', KEYS[1], '(0', '+inf')}
`);

/** `first latest`: when an incarnation was first suspected, and when last. One moment alone is both. */
const SUSPECT_AT = `
local function suspect(key, incarnation, at)
  local found = redis.call('HGET', key, incarnation) or ''
  local first, latest = string.match(found, '^%d+') or at, string.match(found, '%d+$') or at
  if tonumber(at) < tonumber(first) then first = at end
  if tonumber(at) > tonumber(latest) then latest = at end
  redis.call('HSET', key, incarnation, first .. ' ' .. latest)
end
`;

/**
 * KEYS workers, suspects. ARGV incarnation, the score it had for too long. Answers 1 if it is dead now. It is suspected
 * as of its last sign of life: what it polled since, it polled soon afterwards.
 */
export const DECLARE_DEAD = script(`${SUSPECT_AT}
if redis.call('ZSCORE', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZADD', KEYS[1], 0, ARGV[1])
suspect(KEYS[2], ARGV[1], ARGV[2])
return 1
`);

/** KEYS workers, its held tasks. ARGV incarnation. What it still holds is for the taking; with nothing, it is just gone. */
export const LEAVE = script(`
if redis.call('EXISTS', KEYS[2]) == 0 then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return redis.call('ZADD', KEYS[1], 'XX', 'CH', 0, ARGV[1])
`);

/**
 * A release leaves the claim as a tombstone, which is nobody's: the same poll can't be claimed again. A claim of another
 * poll stays as it is. For each: keys claim, held; arguments task id, poll count, incarnation.
 */
const RELEASE_ONE = `
local function release(claimKey, heldKey, taskId, polls, incarnation, seconds)
  local claimed, holder = parts(read(claimKey))
  if not claimed or (claimed == tonumber(polls) and holder == incarnation) then
    redis.call('SET', claimKey, polls .. ' released by ' .. incarnation, 'EX', seconds)
  elseif holder == incarnation then
    return
  end
  redis.call('HDEL', heldKey, taskId)
end
`;

/** KEYS for each: claim, held. ARGV seconds of a tombstone; for each: task id, poll count, incarnation. */
export const RELEASE = script(`${READ}${RELEASE_ONE}
for i = 0, #KEYS / 2 - 1 do
  release(KEYS[2 * i + 1], KEYS[2 * i + 2], ARGV[3 * i + 2], ARGV[3 * i + 3], ARGV[3 * i + 4], ARGV[1])
end
return 1
`);

/**
 * KEYS workers, epoch, held; for each claim: claim, ticket; for each release: claim, held.
 * ARGV incarnation, epoch, 1 to claim by force, seconds of a claim, seconds of a tombstone, number of claims; for each
 * claim: task id, poll count, what is held as JSON; for each release: task id, poll count, incarnation.
 * Answers ['forgot'] or ['dead'] having done nothing, or ['done', for each claim [verdict, ticket] …]; the verdict is
 * 'ours', 'taken', or 'mended' where what stood there was no claim.
 */
export const CLAIM = script(`${READ}${RELEASE_ONE}
local me, force, seconds, claims = ARGV[1], ARGV[3] == '1', ARGV[4], tonumber(ARGV[6])
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return {'forgot'} end
local score = redis.call('ZSCORE', KEYS[1], me)
if not score or tonumber(score) == 0 then return {'dead'} end
local key, arg = 4 + 2 * claims, 7 + 3 * claims
while key < #KEYS do
  release(KEYS[key], KEYS[key + 1], ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], ARGV[5])
  key, arg = key + 2, arg + 3
end
local answers = {'done'}
for i = 0, claims - 1 do
  local claimKey, taskId, polls = KEYS[4 + 2 * i], ARGV[7 + 3 * i], ARGV[8 + 3 * i]
  local found = read(claimKey)
  local claimed, holder = parts(found)
  local ours = force or not claimed or claimed < tonumber(polls) or (claimed == tonumber(polls) and holder == me)
  local ticket = false
  if ours then
    redis.call('SET', claimKey, polls .. ' ' .. me, 'EX', seconds)
    redis.call('HSET', KEYS[3], taskId, ARGV[9 + 3 * i])
    if tonumber(polls) > 1 then ticket = read(KEYS[5 + 2 * i]) end
  end
  table.insert(answers, {ours and (found and not claimed and 'mended' or 'ours') or 'taken', ticket})
end
redis.call('EXPIRE', KEYS[3], seconds * 2)
return answers
`);

/**
 * KEYS workers, held of the dead, held of the taker, claims. ARGV dead, taker, seconds of a claim; for each claim:
 * task id, poll count, or '' where the entry can't be read. Answers the ids of what is the taker's now. An entry
 * whose claim is no longer the dead one's is dropped: a later poll has the task. Of one that can't be read the claim is
 * dropped with it, so that the sweep finds the task. When nothing is left, the dead one is gone.
 */
export const TAKE_OVER = script(`${READ}
local dead, taker, seconds = ARGV[1], ARGV[2], ARGV[3]
local own = redis.call('ZSCORE', KEYS[1], taker)
if not own or tonumber(own) == 0 then return {} end
local score = redis.call('ZSCORE', KEYS[1], dead)
if score and tonumber(score) ~= 0 then return {} end
local taken = {}
for i = 0, #KEYS - 4 do
  local claimKey, taskId, polls = KEYS[4 + i], ARGV[4 + 2 * i], ARGV[5 + 2 * i]
  local entry = redis.call('HGET', KEYS[2], taskId)
  if entry then
    local claimed, holder = parts(read(claimKey))
    if polls == '' then
      if holder == dead then redis.call('DEL', claimKey) end
    elseif not claimed or (holder == dead and claimed == tonumber(polls)) then
      redis.call('SET', claimKey, polls .. ' ' .. taker, 'EX', seconds)
      redis.call('HSET', KEYS[3], taskId, entry)
      table.insert(taken, taskId)
    end
    redis.call('HDEL', KEYS[2], taskId)
  end
end
if #taken > 0 then redis.call('EXPIRE', KEYS[3], seconds * 2) end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('ZREM', KEYS[1], dead) end
return taken
`);

/** KEYS suspects. ARGV incarnation. */
export const SUSPECT = script(`${NOW}${SUSPECT_AT}
return suspect(KEYS[1], ARGV[1], now)
`);

/** KEYS suspects, workers. Answers [now, for each: incarnation, `first latest`, 1 if it lives …]. */
export const SUSPECTS = script(`${NOW}
local answers = {now}
local found = redis.call('HGETALL', KEYS[1])
for i = 1, #found, 2 do
  local score = redis.call('ZSCORE', KEYS[2], found[i])
  table.insert(answers, {found[i], found[i + 1], score and tonumber(score) ~= 0 and 1 or 0})
end
return answers
`);

/** KEYS suspects. ARGV incarnation, when it was last suspected: suspected again meanwhile, it stays. */
export const ACQUIT = script(`
if string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '%d+$') ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
`);

/** KEYS sweep, workers. ARGV incarnation, ms. Answers 1 if it is the sweeper for that long. One who died or left is none any more. */
export const ELECT = script(`
local elected = redis.call('GET', KEYS[1])
if elected and elected ~= ARGV[1] and tonumber(redis.call('ZSCORE', KEYS[2], elected) or 0) > 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);
