/** The scripts that keep a lane's waiting tasks in order. */
import { laneScript } from './lane-script.ts';

/** Tickets of tasks that did not come back (cancelled, or somebody else's by now) go 30 s after they should have. */
const SWEEP = `
local function sweep(tickets, due, now)
  local overdue = redis.call('ZRANGEBYSCORE', due, '-inf', now - 30000, 'LIMIT', 0, 100)
  if #overdue > 0 then
    redis.call('ZREM', tickets, unpack(overdue))
    redis.call('ZREM', due, unpack(overdue))
  end
end

local function sleeping(due, now)
  return redis.call('ZCOUNT', due, string.format('(%.0f', now), '+inf')
end
`;

/**
 * Gives or keeps a ticket, and says how long to sleep by its rank.
 * KEYS: tickets, due, ticket, waiting.
 * ARGV: lane, task id, workflow id, poll count, order, interval ms, ahead, at least ms, at most ms, throttled (1, 0).
 * Answers: sleep in ms, ms since the first throttling (-1: none), how many sleep in the lane.
 */
export const DEFER = laneScript(`${SWEEP}
local tickets, due, ticket_key, waiting = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local lane, task = ARGV[1], ARGV[2]
local order, interval, ahead = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local at_least, at_most = tonumber(ARGV[8]), tonumber(ARGV[9])
local now = now_ms()

local first_throttled, throttles
local text = redis.call('GET', ticket_key)
local readable, kept = pcall(cjson.decode, text or '')
if readable and type(kept) == 'table' then
  if type(kept.order) == 'number' then order = math.min(order, kept.order) end
  if type(kept.firstThrottledAt) == 'number' then first_throttled = math.min(now, kept.firstThrottledAt) end
  if type(kept.throttles) == 'number' then throttles = kept.throttles end
end
throttles = throttles or 0
if ARGV[10] == '1' then
  first_throttled = first_throttled or now
  throttles = throttles + 1
end

sweep(tickets, due, now)
local place = redis.call('ZSCORE', tickets, task)
if place then order = math.min(order, tonumber(place)) end
redis.call('ZADD', tickets, order, task)
local sleep = math.floor((ahead + redis.call('ZRANK', tickets, task)) * interval - 2000)
sleep = math.floor(math.max(1000, math.min(math.max(sleep, at_least), at_most, 600000)))
-- Conductor takes whole seconds.
redis.call('ZADD', due, now + math.ceil(sleep / 1000) * 1000, task)
redis.call('SADD', waiting, lane)
for _, key in ipairs({tickets, due}) do redis.call('PEXPIRE', key, 7200000) end
local ticket = {taskId = task, lane = lane, order = order, firstThrottledAt = first_throttled, throttles = throttles}
ticket.workflowInstanceId, ticket.pollCount = ARGV[3], tonumber(ARGV[4])
redis.call('SET', ticket_key, cjson.encode(ticket), 'PX', sleep + 3600000)
return {sleep, first_throttled and now - first_throttled or -1, sleeping(due, now)}
`);

/**
 * Takes tasks out of the order. What is known of their throttling stays for ten minutes: one that has started may be
 * throttled again, and its time counts from the first one.
 * KEYS: tickets, due, waiting, then a ticket for each task. ARGV: lane, then the task ids.
 */
export const FORGET = laneScript(`
local tickets, due, waiting = KEYS[1], KEYS[2], KEYS[3]
for i = 2, #ARGV do
  redis.call('ZREM', tickets, ARGV[i])
  redis.call('ZREM', due, ARGV[i])
  local key = KEYS[i + 2]
  local readable, kept = pcall(cjson.decode, redis.call('GET', key) or '')
  if readable and type(kept) == 'table' and type(kept.firstThrottledAt) == 'number' then
    redis.call('PEXPIRE', key, 600000)
  else
    redis.call('DEL', key)
  end
end
if redis.call('EXISTS', tickets) == 0 then redis.call('SREM', waiting, ARGV[1]) end
return 0
`);

/**
 * Hands out the first sleepers that are due in more than 4 s, so many that with those due sooner there are as many as
 * wanted. They count as due in 2 s from then on, so nobody else takes them. What should be back for a second counts no
 * longer as coming: its workflow may be over.
 * KEYS: tickets, due. ARGV: wanted. Answers: how many still sleep in the lane, when those taken count as due, then of each
 * its task id and when it was due.
 */
export const TAKE_SLEEPERS = laneScript(`${SWEEP}
local tickets, due = KEYS[1], KEYS[2]
local now = now_ms()
sweep(tickets, due, now)
local soon = redis.call('ZCOUNT', due, now - 1000, now + 4000)
local missing = tonumber(ARGV[1]) - soon
local taken = {0, now + 2000}
local from = 0
while missing > 0 do
  local page = redis.call('ZRANGE', tickets, from, from + 99)
  if #page == 0 or from >= 10000 then break end
  from = from + #page
  for _, task in ipairs(page) do
    local when = redis.call('ZSCORE', due, task)
    if not when then
      redis.call('ZREM', tickets, task)
      from = from - 1
    elseif missing > 0 and tonumber(when) > now + 4000 then
      redis.call('ZADD', due, now + 2000, task)
      table.insert(taken, task)
      table.insert(taken, when)
      missing = missing - 1
    end
  end
end
taken[1] = sleeping(due, now)
return taken
`);

/**
 * Puts back when tasks are due that were taken and could not be called; one that has been put off since is left alone.
 * KEYS: due. ARGV: of each: task id, when it counts as due since it was taken, when it was due.
 */
export const LEAVE_ASLEEP = laneScript(`
for i = 1, #ARGV, 3 do
  if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or '') == tonumber(ARGV[i + 1]) then
    redis.call('ZADD', KEYS[1], ARGV[i + 2], ARGV[i])
  end
end
return 0
`);

/**
 * Counts the sleepers of lanes, sweeping on the way; lanes without tickets are no longer waiting.
 * KEYS: waiting, then tickets and due of each lane. ARGV: the lanes. Answers a number for each.
 */
export const SURVEY = laneScript(`${SWEEP}
local now = now_ms()
local counts = {}
for i, lane in ipairs(ARGV) do
  local tickets, due = KEYS[2 * i], KEYS[2 * i + 1]
  sweep(tickets, due, now)
  if redis.call('EXISTS', tickets) == 0 then redis.call('SREM', KEYS[1], lane) end
  counts[i] = sleeping(due, now)
end
return counts
`);
