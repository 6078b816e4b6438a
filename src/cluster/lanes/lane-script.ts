import { type Script, script } from '../../redis/script.ts';

/** Put before every script of lanes: milliseconds by Redis' clock, the only one that all replicas share. */
const NOW = `
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
`;

export function laneScript(lua: string): Script {
  return script(NOW + lua);
}
