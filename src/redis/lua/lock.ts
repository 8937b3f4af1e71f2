/** The lock of a session, and the reservations of epilogues that come before its next holder. */
export const LOCK: string = `
local function release(record, token)
  if not record.holder or record.holder.token ~= token then return false end
  record.holder, record.attempt = nil, nil
  return true
end

local function reservationOf(record, id)
  for at, place in ipairs(record.reserved) do if place.run == id then return place, at end end
end

local function reservation(record, token)
  for at, place in ipairs(record.reserved) do if place.token == token then return place, at end end
end
`;

export const LOCK_BODY: string = `
local key = q.sessionKey
local record = begin(key)

local function isMeant()
  if q.reserved then return reservation(record, q.reserved) ~= nil end
  if not q.run then return true end
  local run = runOf(key, q.run)
  return run ~= nil and run.status == 'running'
end

-- The holder, and the reservations that come before this request.
local function buryInTheWay()
  if record.holder and isGone(record.holder.beat) then bury(key, record.holder.beat) end
  for _, place in ipairs(copy(record.reserved)) do
    if place.token == q.reserved then return end
    if indexOf(record.reserved, place) and isGone(place.beat) then bury(key, place.beat) end
  end
end

local function granted(token)
  return commit('["granted",' .. text(token) .. ',' .. about(key) .. ']')
end

local holder = record.holder
if holder and holder.node == q.nodeId and record.attempt == q.attempt then return granted(holder.token) end
if not isMeant() then return commit('["stale",' .. about(key) .. ']') end
buryInTheWay()
local first = record.reserved[1]
if record.holder or (first and first.token ~= q.reserved) then
  watch(key)
  return commit('["busy",' .. holderJson(record.holder) .. ',' .. about(key) .. ']')
end
local drawn = drawFor(key)
local grant = { node = q.nodeId, beat = beat, since = q.since, isEpilogue = first ~= nil }
if first then
  table.remove(record.reserved, 1)
  grant.run, grant.token = first.run, first.token
else
  grant.run, grant.token = q.run and q.run.runId, drawn
  record.lastGrant = drawn
end
record.holder, record.attempt = grant, q.attempt
return granted(grant.token)
`;

export const UNLOCK_BODY: string = `
local key = q.sessionKey
local record = begin(key)
local wasHeld = release(record, q.token)
if not wasHeld then
  local _, at = reservation(record, q.token)
  if at then
    table.remove(record.reserved, at)
    wasHeld = true
  end
end
if wasHeld then drawFor(key) end
return commit('[' .. tostring(wasHeld) .. ',' .. about(key) .. ']')
`;
