/** What a stop or a takeover does to a run. */
export const MARKS: string = `
-- Above every grant so far, below every later one.
local function reserve(key, run)
  local places = records[key].reserved
  places[#places + 1] = { run = run.id, node = run.node, beat = run.beat, token = drawFor(key) }
end

local function mark(key, run, by)
  local record = records[key]
  table.remove(record.running, indexOf(record.running, run))
  record.stopping[#record.stopping + 1] = run
  run.status, run.reason, run.detail, run.supersededBy = 'stopping', by.reason, by.detail, by.supersededBy
  run.stopNode, run.stopAttempt = by.node, by.attempt
  run.grantAtStop = record.lastGrant
  if run.hasEpilogue then reserve(key, run) else isTouched = true end
end

-- Of a run that is stopping it is asked once, and after a later grant it is too late: it would write over what that wrote.
local function announce(key, run)
  if run.hasEpilogue then return end
  run.hasEpilogue = true
  if run.status == 'stopping' and run.grantAtStop == records[key].lastGrant then reserve(key, run)
  else isTouched = true end
end

local function markItem(key, item, run, by)
  if run and run.status == 'running' then
    if item.hasEpilogue then run.hasEpilogue = true end
    mark(key, run, by)
  elseif run and run.status == 'stopping' and item.hasEpilogue then
    announce(key, run)
  end
  if item.revoke and release(records[key], item.revoke) then isTouched = true end
end

-- The reservations of these runs that are still there, as JSON.
local function epiloguesJson(record, runs)
  local ids, parts = {}, {}
  for _, run in ipairs(runs) do ids[run.id] = true end
  for _, place in ipairs(record.reserved) do
    if ids[place.run] then parts[#parts + 1] = '[' .. quoted(place.run) .. ',' .. text(place.token) .. ']' end
  end
  return '[' .. table.concat(parts, ',') .. ']'
end
`;
