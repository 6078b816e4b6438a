/**
 * Functions of scripts that count requests and tokens by the second. The current second and the 60 before it count, so
 * no 60 s ever hold more than the limit. Seconds from the future (the clock of another primary) count as the current one.
 */
export const RATES = `
local function read_rates(key, second)
  local rates = {r = {sum = 0, at = {}}, t = {sum = 0, at = {}}}
  local ahead = {}
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local kind, at = string.match(fields[i], '^([rt]):(%d+)$')
    local count = string.match(fields[i + 1], '^%-?%d+$')
    at, count = tonumber(at), tonumber(count)
    if not kind or not count or at < second - 60 or at > second then redis.call('HDEL', key, fields[i]) end
    if kind and count and at >= second - 60 then
      if at > second then
        table.insert(ahead, {kind, count})
        at = second
      end
      local rate = rates[kind]
      rate.sum = rate.sum + count
      rate.at[at] = (rate.at[at] or 0) + count
    end
  end
  for _, one in ipairs(ahead) do redis.call('HINCRBY', key, one[1] .. ':' .. second, one[2]) end
  return rates
end

local function add(rate, second, count)
  rate.sum = rate.sum + count
  rate.at[second] = (rate.at[second] or 0) + count
end

-- When the sum falls below the limit, if nothing is added: in ms from now.
local function opens_in(rate, limit, second, now)
  local sum = rate.sum
  if sum < limit then return 0 end
  for at = second - 60, second do
    sum = sum - (rate.at[at] or 0)
    if sum < limit then return (at + 61) * 1000 - now end
  end
  return 61000
end

local function count_rate(key, kind, second, count)
  redis.call('HINCRBY', key, kind .. ':' .. second, count)
  redis.call('PEXPIRE', key, 62000)
end
`;
