/**
 * The records of sessions, and the runs in them. A record is packed under `s:<session>` and gone when nothing is in it.
 * `r:<run>` says where a run is: `L` and its session, or `E` and the ended run itself.
 */
export const RECORD: string = `
-- The pointers that are to be written: a run that has ended, the session of a live one, or false for none.
local records, beatsBefore, pointers, ended = {}, {}, {}, {}
local orphans = {}
local moved, isMoved, isTouched, isNews = {}, {}, false, false

local function beatsOf(record)
  local beats = {}
  for _, run in ipairs(record.running) do beats[run.beat] = true end
  for _, run in ipairs(record.stopping) do beats[run.beat] = true end
  for _, place in ipairs(record.reserved) do beats[place.beat] = true end
  if record.holder then beats[record.holder.beat] = true end
  return beats
end

local function open(key)
  local record = records[key]
  if record then return record end
  local packed = call('GET', P .. 's:' .. key)
  record = packed and cmsgpack.unpack(packed)
    or { version = 0, running = {}, stopping = {}, reserved = {}, stops = {}, lastGrant = 0 }
  records[key], beatsBefore[key] = record, beatsOf(record)
  return record
end

local function hasOnlyStops(record)
  return #record.running == 0 and #record.stopping == 0 and #record.reserved == 0 and not record.holder
end

local function isIdle(record) return hasOnlyStops(record) and #record.stops == 0 end

-- A record that is not there is at the counter's value; after a failover each is at least at the floor.
local function versionOf(record)
  if isIdle(record) then return counter end
  return math.max(record.version, floor)
end

-- A number for a change of this record: its version.
local function drawFor(key)
  local number = draw()
  records[key].version = number
  if not isMoved[key] then
    isMoved[key] = true
    moved[#moved + 1] = key
  end
  return number
end

-- A change that drew no number draws one, or it would never be told.
local function settle(key)
  if isTouched and not isDrawn then drawFor(key) end
end

local function copy(list)
  local items = {}
  for at, item in ipairs(list) do items[at] = item end
  return items
end

local function indexOf(list, item)
  for at, other in ipairs(list) do if other == item then return at end end
end

local function liveIn(record, id)
  for _, run in ipairs(record.running) do if run.id == id then return run end end
  for _, run in ipairs(record.stopping) do if run.id == id then return run end end
end

local function isLive(run) return run.status == 'running' or run.status == 'stopping' end

-- A run by its id, live or retained, and its session. The session that was asked about is looked at first.
local function find(id)
  if q.sessionKey then
    local run = liveIn(open(q.sessionKey), id)
    if run then return run, q.sessionKey end
  end
  local pointer = pointers[id]
  if pointer == nil then pointer = ended[id] end
  if pointer == nil then pointer = call('GET', P .. 'r:' .. id) end
  if not pointer then return nil end
  if type(pointer) == 'table' then return pointer, pointer.key end
  if pointer:sub(1, 1) == 'L' then return liveIn(open(pointer:sub(2)), id), pointer:sub(2) end
  ended[id] = cmsgpack.unpack(pointer:sub(2))
  return ended[id], ended[id].key
end

-- By identity: another generation of the id, or one in another session, is not meant.
local function runOf(key, item)
  local run, at = find(item.runId)
  if run and run.generation == item.generation and at == key then return run end
end

local function leave(key, run, status, reason, detail)
  local record = records[key]
  local list = run.status == 'running' and record.running or record.stopping
  table.remove(list, indexOf(list, run))
  if run.status == 'running' and status == 'aborted' then run.reason, run.detail = reason, detail end
  run.status, run.key = status, key
  pointers[run.id] = run
end
`;
