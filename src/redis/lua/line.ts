/** What is written under a prefix. Another version of runfence that writes something else has another number. */
const FORMAT = '1';

/**
 * Begins every script. `KEYS[1]` is the prefix of all keys; `ARGV` is the line that the caller believes in, `1` if the
 * line is to be looked up, the process, `1` if it has several nodes, and the request as JSON.
 *
 * A line is one server process in one role: what was acknowledged on an earlier one may be lost. The text of each script
 * names its line, and a server caches the texts that were sent to itself only. So the first call after a failover finds
 * no script, is sent again as a whole with the line to be looked up, and draws the floor: from then on every record is at
 * least at that version, and who still believes in the old line is told so, and has changed nothing.
 */
export const LINE: string = `
local P, call = KEYS[1], redis.call
local beat, tellsOwn, q = ARGV[3], ARGV[4] == '1', cjson.decode(ARGV[5])
local meta = call('HMGET', P .. 'meta', 'counter', 'line', 'floor', 'quiet', 'lease', 'format')
local counter, line, floor, quiet = tonumber(meta[1] or 0), meta[2], tonumber(meta[3] or 0), tonumber(meta[4] or 0)

-- Lua would write a number of 16 digits as 1.7951661673240e+15.
local function text(number) return string.format('%.0f', number) end

local micros
local function now()
  if not micros then
    local time = call('TIME')
    micros = time[1] * 1000000 + time[2]
  end
  return micros
end

-- Above all that was drawn, and above what a server that has lost writes may have drawn: not below its clock.
local isDrawn, isCounterMoved = false, false
local function draw()
  if not isDrawn and now() > counter + 1 then counter = now() - 1 end
  isDrawn, isCounterMoved = true, true
  if counter >= 9007199254740991 then error({ err = 'RFEXHAUSTED no number is left' }) end
  counter = counter + 1
  return counter
end

if ARGV[2] == '1' then
  if meta[6] and meta[6] ~= '${FORMAT}' then error({ err = 'RFFORMAT ' .. meta[6] }) end
  local info = call('INFO', 'server') .. call('INFO', 'replication')
  local here = (info:match('run_id:(%w+)') or '-') .. '.' .. (info:match('master_replid:(%w+)') or '-')
  if line ~= here then
    floor = draw()
    -- Leases may be lost with the rest: nobody is buried until all that live had the time to renew theirs.
    quiet = line and math.floor(now() / 1000) + tonumber(meta[5] or 0) or 0
    line, isDrawn = here, false
    call('HSET', P .. 'meta', 'counter', text(counter), 'line', line, 'floor', text(floor), 'quiet', text(quiet),
      'format', '${FORMAT}')
  end
end
if line ~= ARGV[1] then return redis.error_reply('RFLINE ' .. (line or '')) end
`;
