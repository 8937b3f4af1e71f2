/**
 * The lease of a process runs again. Answers what it may not have heard of: records that concern it and have changed since
 * its last renewal, and the list. A record that concerns it no more is named once more, and then it is not in its set.
 */
export const RENEW_BODY: string = `
local LEASES = 3
local hadLease = call('EXISTS', P .. 'n:' .. beat) == 1
call('SET', P .. 'n:' .. beat, q.leaseMs, 'PX', q.leaseMs)
local nowMs = math.floor(now() / 1000)
call('ZADD', P .. 'processes', nowMs + LEASES * q.leaseMs, beat)
if q.leaseMs > tonumber(meta[5] or 0) then call('HSET', P .. 'meta', 'lease', q.leaseMs) end
local news = {}
local changed = call('ZRANGEBYSCORE', P .. 'nr:' .. beat, '(' .. text(q.since), '+inf', 'WITHSCORES')
for at = 1, #changed, 2 do
  local key = changed[at]
  news[#news + 1] = '[' .. quoted(key) .. ',' .. text(tonumber(changed[at + 1])) .. ']'
  if not beatsOf(open(key))[beat] then call('ZREM', P .. 'nr:' .. beat, key) end
end
local list = 'null'
if listVersion() > q.listVersion then
  list = '[' .. text(listVersion()) .. ',' .. listJson(stopList().stops, stopJson) .. ']'
end
local dead = call('ZCOUNT', P .. 'processes', '-inf', nowMs)
local due = call('ZCOUNT', P .. 'orphans:due', '-inf', nowMs)
return '[' .. tostring(hadLease) .. ',' .. text(counter) .. ',[' .. table.concat(news, ',') .. '],' .. list .. ','
  .. text(dead) .. ',' .. text(due) .. ']'
`;

/** Buries one process that was silent for three leases, a part of its sessions at a time. Answers whether there is more to do. */
export const SWEEP_BODY: string = `
local LEASES, PART = 3, 50
local nowMs = math.floor(now() / 1000)
local dead = call('ZRANGEBYSCORE', P .. 'processes', '-inf', nowMs, 'LIMIT', 0, 1)[1]
if not dead or nowMs < quiet then return 'false' end
local leaseMs = call('GET', P .. 'n:' .. dead)
if leaseMs then
  call('ZADD', P .. 'processes', nowMs + LEASES * tonumber(leaseMs), dead)
  return 'true'
end
local keys = call('ZRANGE', P .. 'nr:' .. dead, 0, PART - 1)
for _, key in ipairs(keys) do if beatsOf(open(key))[dead] then bury(key, dead) end end
commit()
for _, key in ipairs(keys) do call('ZREM', P .. 'nr:' .. dead, key) end
if #keys < PART then call('ZREM', P .. 'processes', dead) end
return 'true'
`;

/** Orphans that nobody has acknowledged: this process tells them, and if it dies, another one after a lease. */
export const ORPHANS_BODY: string = `
local nowMs = math.floor(now() / 1000)
local told = {}
for _, generation in ipairs(call('ZRANGEBYSCORE', P .. 'orphans:due', '-inf', nowMs, 'LIMIT', 0, 100)) do
  call('ZADD', P .. 'orphans:due', nowMs + q.leaseMs, generation)
  told[#told + 1] = call('HGET', P .. 'orphans', generation) or nil
end
return '[' .. table.concat(told, ',') .. ']'
`;

export const ACKNOWLEDGE_BODY: string = `
for _, generation in ipairs(q.generations) do
  call('ZREM', P .. 'orphans:due', text(generation))
  call('HDEL', P .. 'orphans', text(generation))
end
return 'null'
`;

/** A process has closed: what it has left, if anything, others may take at once. */
export const LEAVE_BODY: string = `
call('DEL', P .. 'n:' .. beat)
if call('EXISTS', P .. 'nr:' .. beat) == 0 then call('ZREM', P .. 'processes', beat)
else call('ZADD', P .. 'processes', 0, beat) end
return 'null'
`;
