/** The scripts that give, renew and take back places in a lane. What they promise is in `lane-store.ts` and its port. */

import { FAIRNESS } from './fairness-functions.ts';
import { laneScript } from './lane-script.ts';
import { RATES } from './rate-functions.ts';

/**
 * Whether Redis may have forgotten leases that are still held, since it is new or took over from another: then ms until
 * every one of them has lapsed, else 0. An epoch that cannot be (the clock of another primary, somebody's typing) begins now.
 */
const FORGOTTEN = `
local function forgotten_for(key, primary, lease_ms, now)
  local text = redis.call('GET', key)
  if not text then return lease_ms end
  local epoch = tonumber(text)
  if not epoch or epoch > now + 1000 then
    redis.call('SET', key, string.format('%.0f', now))
    epoch = now
  end
  local server = redis.pcall('GET', primary)
  local since = type(server) == 'string' and tonumber(string.match(server, ' (%d+)$') or '')
  if since and since <= now + 1000 then epoch = math.max(epoch, since) end
  return math.max(0, epoch + lease_ms - now)
end
`;

/**
 * KEYS: leases, askers, rates, throttle, epoch, primary.
 * ARGV: lease in ms, worker, concurrency, requests and tokens a minute (-1: no limit), then id and tokens of each attempt.
 * Answers: granted, retry after ms, limit of calls at once (-1: none), now, and what throttling leaves: limit (0: all), cut at, whether of
 * each worker (1, 0).
 */
export const ADMIT = laneScript(`${RATES}${FORGOTTEN}${FAIRNESS}
local leases, askers, rates_key, throttle, epoch, primary = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local lease_ms, me = tonumber(ARGV[1]), ARGV[2]
local concurrency, requests, tokens = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local wanted = (#ARGV - 5) / 2
local granted, retry_after = wanted, 0
local now = now_ms()
local second = math.floor(now / 1000)

local shrunk = redis.call('HMGET', throttle, 'limit', 'cutAt', 'scope')
local left, cut_at = tonumber(shrunk[1] or 0) or 0, tonumber(shrunk[2] or 0) or 0

local waiting
if concurrency >= 0 then
  if left > 0 and shrunk[3] == 'cluster' then concurrency = math.min(concurrency, left) end
  local blocked = forgotten_for(epoch, primary, lease_ms, now)
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. string.format('%.0f', now + lease_ms), '+inf')) do
    redis.call('ZADD', leases, now + lease_ms, id)
  end
  if blocked > 0 then
    granted, retry_after = 0, blocked
  else
    local free = math.max(0, concurrency - redis.call('ZCARD', leases))
    waiting = others_waiting(askers, leases, me, concurrency, now)
    granted = places_for(wanted, free, waiting)
    if granted < wanted then retry_after = 50 end
  end
end
local places = granted

if (requests >= 0 or tokens >= 0) and granted > 0 then
  local rates = read_rates(rates_key, second)
  if requests >= 0 then granted = math.min(granted, math.max(0, requests - rates.r.sum)) end
  if tokens >= 0 then
    local charged, started = 0, 0
    while started < granted and rates.t.sum + charged < tokens do
      charged = charged + tonumber(ARGV[7 + 2 * started])
      started = started + 1
    end
    granted = started
    add(rates.t, second, charged)
    if charged > 0 then count_rate(rates_key, 't', second, charged) end
  end
  if requests >= 0 then
    add(rates.r, second, granted)
    if granted > 0 then count_rate(rates_key, 'r', second, granted) end
  end
  if granted < places then
    retry_after = math.max(50, retry_after)
    if requests >= 0 then retry_after = math.max(retry_after, opens_in(rates.r, requests, second, now)) end
    if tokens >= 0 then retry_after = math.max(retry_after, opens_in(rates.t, tokens, second, now)) end
  end
end

if concurrency >= 0 then
  for i = 1, granted do redis.call('ZADD', leases, now + lease_ms, ARGV[4 + 2 * i]) end
  if granted > 0 then redis.call('PEXPIRE', leases, 2 * lease_ms) end
  if waiting then
    if places < wanted then
      local since = granted > 0 and now or waiting.since
      redis.call('HSET', askers, me, string.format('%.0f:%.0f:%d', now, since, wanted - places))
      redis.call('PEXPIRE', askers, 1000)
    else
      redis.call('HDEL', askers, me)
    end
  end
end
return {granted, retry_after, concurrency, now, left, cut_at, shrunk[3] == 'worker' and 1 or 0}
`);

/**
 * Frees places and corrects tokens. What was charged too much comes off the second that it was charged in, lest the
 * refund outlive the charge; what was too little counts now.
 * KEYS: leases, rates. ARGV: of each: lease id ('' where it has no place), second of its admission, tokens to add.
 */
export const RELEASE = laneScript(`${RATES}
local leases, rates_key = KEYS[1], KEYS[2]
local second = math.floor(now_ms() / 1000)
for i = 1, #ARGV, 3 do
  if ARGV[i] ~= '' then redis.call('ZREM', leases, ARGV[i]) end
  local charged_in, difference = ARGV[i + 1], tonumber(ARGV[i + 2])
  if difference > 0 then
    count_rate(rates_key, 't', second, difference)
  elseif difference < 0 and redis.call('HEXISTS', rates_key, 't:' .. charged_in) == 1 then
    redis.call('HINCRBY', rates_key, 't:' .. charged_in, difference)
  end
end
return 0
`);

/**
 * Renews leases by name. One that has lapsed stays so. One that is gone although it cannot have lapsed was lost by Redis
 * (a restart, a failover): its call still runs, so it counts again.
 * KEYS: leases. ARGV: lease in ms, then id and known end of each, by Redis' clock. Answers now, and the positions, from 0, of
 * those that have lapsed.
 */
export const RENEW = laneScript(`
local leases, lease_ms = KEYS[1], tonumber(ARGV[1])
local now = now_ms()
local answer = {now}
for i = 2, #ARGV, 2 do
  local ends = tonumber(redis.call('ZSCORE', leases, ARGV[i]) or ARGV[i + 1])
  if ends > now then
    redis.call('ZADD', leases, now + lease_ms, ARGV[i])
  else
    redis.call('ZREM', leases, ARGV[i])
    table.insert(answer, (i - 2) / 2)
  end
end
redis.call('PEXPIRE', leases, 2 * lease_ms)
return answer
`);
