/** The scripts that shrink a lane while Bedrock throttles it, and let it grow again. */
import { laneScript } from './lane-script.ts';

/** What throttling leaves is forgotten after ten minutes without a change. */
const KEEP = `
local function keep(key, ...)
  redis.call('HSET', key, ...)
  redis.call('PEXPIRE', key, 600000)
end
`;

/**
 * Halves a lane once a burst: a call that began before its worker knew of the last cut says nothing about what that cut left.
 * KEYS: throttle, leases.
 * ARGV: the cut that the worker knew when the call began (0: none), calls of this worker, scope (cluster, worker), ceiling.
 * Answers: limit, cut at, whether it is of each worker (1, 0).
 */
export const THROTTLED = laneScript(`${KEEP}
local key, leases = KEYS[1], KEYS[2]
local known_cut, running, scope, ceiling = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local now = now_ms()
local kept = redis.call('HMGET', key, 'limit', 'cutAt', 'scope')
local limit, cut_at = tonumber(kept[1] or ''), tonumber(kept[2] or '')
if limit and cut_at and kept[3] == scope and cut_at <= now then
  if cut_at ~= known_cut then return {limit, cut_at, scope == 'worker' and 1 or 0} end
else
  limit = running
  if scope == 'cluster' then limit = math.max(limit, redis.call('ZCOUNT', leases, string.format('(%.0f', now), '+inf')) end
end
limit = math.max(1, math.floor(math.min(limit, ceiling) / 2))
keep(key, 'limit', limit, 'cutAt', string.format('%.0f', now), 'scope', scope, 'ceiling', ceiling)
return {limit, now, scope == 'worker' and 1 or 0}
`);

/**
 * One more call at once. Where the limit is one of each worker, only those who know the present one count: all that are
 * full would else raise it at the same time.
 * KEYS: throttle. ARGV: limit that the worker knows. Answers: as above; a limit of 0 where the lane is as it was before.
 */
export const GROW = laneScript(`${KEEP}
local kept = redis.call('HMGET', KEYS[1], 'limit', 'cutAt', 'scope', 'ceiling')
local limit, cut_at = tonumber(kept[1] or ''), tonumber(kept[2] or '')
local ceiling = tonumber(kept[4] or '')
if limit and cut_at and ceiling then
  local per_worker = kept[3] == 'worker' and 1 or 0
  if per_worker == 1 and limit ~= tonumber(ARGV[1]) then return {limit, cut_at, per_worker} end
  if limit + 1 < ceiling then
    keep(KEYS[1], 'limit', limit + 1)
    return {limit + 1, cut_at, per_worker}
  end
end
redis.call('DEL', KEYS[1])
return {0, 0, 0}
`);
