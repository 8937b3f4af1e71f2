/** Gives a run its generation, or says what is in its way. A claim that is refused marks nothing. */
export const CLAIM_BODY: string = `
local key = q.sessionKey
local record = begin(key)
local known, knownKey = find(q.runId)

local function granted(run, runs)
  return commit('["granted",' .. text(run.generation) .. ',' .. text(run.listSince) .. ','
    .. epiloguesJson(record, runs) .. ',' .. about(key) .. ']')
end

local function isOneOf(id, ids)
  for _, other in ipairs(ids) do if other == id then return true end end
  return false
end

local function isReplaced(run)
  for _, item in ipairs(q.replaces) do
    if item.generation == run.generation and item.runId == run.id then return true end
  end
  return false
end

-- Whether somebody who lives is in the way; the dead who are in the way are buried.
local function isBlocked(runs)
  for _, run in ipairs(copy(runs)) do
    local isAside = isOneOf(run.id, q.beside) or (run.status == 'running' and isReplaced(run))
    if not isAside and indexOf(runs, run) and isGone(run.beat) then bury(key, run.beat) end
  end
  for _, run in ipairs(runs) do
    if not isOneOf(run.id, q.beside) and not (run.status == 'running' and isReplaced(run)) then return true end
  end
  return false
end

local function inTheWay()
  if q.mode == 'probe' then return 'busy' end
  if q.mode == 'exclusive' and isBlocked(record.running) then return 'busy' end
  if q.whenQuiet and isBlocked(record.stopping) then return 'not-quiet' end
end

local function mayConcern(stop)
  if stop.number <= q.judged then return false end
  if isOneOf(q.runId, stop.unmet) then return true end
  if stop.intent then return stop.aimedAt == q.runId end
  return stop.node ~= q.nodeId and q.since ~= nil and stop.number > q.since
end

-- In the order in which they came: the first that may stop it says why.
local function stopsFor()
  local stops = {}
  for _, stop in ipairs(record.stops) do if mayConcern(stop) then stops[#stops + 1] = stop end end
  for _, stop in ipairs(stopList().stops) do
    if stop.intent and stop.aimedAt == q.runId and stop.number > (q.listJudged or 0) then stops[#stops + 1] = stop end
  end
  table.sort(stops, function(a, b) return a.number < b.number end)
  return stops
end

-- The runs that it takes over from. Asked again, they are marked already.
local function replaced()
  local runs = {}
  for _, item in ipairs(q.replaces) do runs[#runs + 1] = runOf(key, item) end
  return runs
end

local function supersede()
  local runs, by = {}, { reason = 'superseded', supersededBy = q.runId }
  for _, item in ipairs(q.replaces) do
    local run = runOf(key, item)
    runs[#runs + 1] = run
    markItem(key, item, run, by)
  end
  return runs
end

if known and isLive(known) then
  if known.node == q.nodeId and known.attempt == q.attempt and knownKey == key then return granted(known, replaced()) end
  if isGone(known.beat) then bury(knownKey, known.beat) end
end
if known and (isLive(known) or known.generation ~= q.repeats) then
  if isLive(known) then watch(knownKey) end
  return commit('["duplicate",' .. runJson(known, knownKey) .. ',' .. about(key) .. ']')
end

local stops = stopsFor()
if #stops > 0 then
  return commit('["stopped",' .. listJson(stops, stopJson) .. ',' .. text(counter) .. ',' .. about(key) .. ']')
end

local kind = inTheWay()
if kind then
  watch(key)
  return commit('["' .. kind .. '",' .. text(counter) .. ',' .. text(versionOf(record)) .. ',' .. snapshotJson(key) .. ']')
end

local runs = supersede()
local generation = drawFor(key)
local run = {
  id = q.runId, generation = generation, node = q.nodeId, beat = beat, attempt = q.attempt, info = q.info,
  status = 'running', hasEpilogue = q.hasEpilogue, listSince = q.listSince or generation, grantAtStop = 0,
}
record.running[#record.running + 1] = run
pointers[q.runId] = 'L' .. key
return granted(run, runs)
`;
