/**
 * Functions of the script that admits: how many of the free places are left to others, who wait for them. `lacking`: for
 * those who hold less than their part; `owed`: of these, for those who have asked in vain for a second, and longer than
 * the one who asks now. One who has not asked for 500 ms waits no more.
 */
export const FAIRNESS = `
local function others_waiting(askers_key, leases_key, me, limit, now)
  local others, count = {}, 1
  local mine_since = now
  local asked = redis.call('HGETALL', askers_key)
  for i = 1, #asked, 2 do
    local last, since, missing = string.match(asked[i + 1], '^(%d+):(%d+):(%d+)$')
    last, since, missing = tonumber(last), tonumber(since), tonumber(missing)
    if not last or last < now - 500 or last > now + 500 then
      redis.call('HDEL', askers_key, asked[i])
    elseif asked[i] == me then
      mine_since = since
    else
      others[asked[i]] = {since = since, missing = missing, held = 0}
      count = count + 1
    end
  end
  local waiting = {part = limit, lacking = 0, owed = 0, mine = 0, since = mine_since}
  if count == 1 then return waiting end
  waiting.part = math.max(1, math.floor(limit / count))
  for _, id in ipairs(redis.call('ZRANGE', leases_key, 0, -1)) do
    local worker = string.match(id, '^(.*)#') or id
    if worker == me then
      waiting.mine = waiting.mine + 1
    elseif others[worker] then
      others[worker].held = others[worker].held + 1
    end
  end
  for _, other in pairs(others) do
    local lacks = math.min(other.missing, math.max(0, waiting.part - other.held))
    waiting.lacking = waiting.lacking + lacks
    if other.since < mine_since and other.since <= now - 1000 then waiting.owed = waiting.owed + lacks end
  end
  return waiting
end

local function places_for(wanted, free, waiting)
  local first = math.min(wanted, free - waiting.owed, waiting.part - waiting.mine)
  first = math.max(0, first)
  local more = math.min(wanted - first, free - first - waiting.lacking)
  return first + math.max(0, more)
end
`;
