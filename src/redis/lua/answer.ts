/** How records are told: JSON that is put together by hand, since `cjson` cuts off numbers and has no empty list. */
export const ANSWER: string = `
local function quoted(word) return cjson.encode(word) end
local function orNull(word) return word and quoted(word) or 'null' end

local function runJson(run, key)
  return '[' .. quoted(run.id) .. ',' .. text(run.generation) .. ',' .. quoted(run.node) .. ',' .. run.info .. ','
    .. quoted(run.status) .. ',' .. orNull(run.reason) .. ',' .. orNull(run.detail) .. ',' .. orNull(run.supersededBy)
    .. ',' .. tostring(run.hasEpilogue) .. ',' .. text(run.listSince) .. ',' .. (run.report or 'null')
    .. ',' .. quoted(key) .. ']'
end

local function holderJson(holder)
  if not holder then return 'null' end
  return '[' .. orNull(holder.run) .. ',' .. quoted(holder.node) .. ',' .. text(holder.token) .. ','
    .. text(holder.since) .. ',' .. tostring(holder.isEpilogue) .. ']'
end

local function listJson(items, show, key)
  local parts = {}
  for at, item in ipairs(items) do parts[at] = show(item, key) end
  return '[' .. table.concat(parts, ',') .. ']'
end

local function placeJson(place)
  return '[' .. quoted(place.run) .. ',' .. quoted(place.node) .. ',' .. text(place.token) .. ']'
end

local function stopJson(stop)
  return '[' .. text(stop.number) .. ',' .. quoted(stop.node) .. ',' .. text(stop.attempt) .. ','
    .. tostring(stop.intent == true) .. ',' .. stop.said .. ',' .. listJson(stop.marked or {}, quoted) .. ']'
end

-- It is told when nothing more is changed, and often twice: in the answer, and to the others.
local snapshots = {}
local function snapshotJson(key)
  if snapshots[key] then return snapshots[key] end
  local record = open(key)
  local runs = record.running
  if #record.stopping > 0 then
    runs = copy(record.running)
    for _, run in ipairs(record.stopping) do runs[#runs + 1] = run end
    table.sort(runs, function(a, b) return a.generation < b.generation end)
  end
  snapshots[key] = '[' .. text(versionOf(record)) .. ',' .. listJson(runs, runJson, key) .. ',' .. holderJson(record.holder)
    .. ',' .. listJson(record.reserved, placeJson) .. ',' .. listJson(record.stops, stopJson)
    .. ',' .. quoted(key) .. ']'
  return snapshots[key]
end

local function begin(key)
  local record = open(key)
  isNews = not (q.seen == versionOf(record) or (q.seen == 0 and isIdle(record)))
  return record
end

-- The version of a record, and the record, if the caller may not know it.
local function about(key)
  return text(versionOf(open(key))) .. ',' .. (isNews and snapshotJson(key) or 'null')
end
`;

/** Writes what a script has changed, and tells the processes that are concerned. It comes last: before it nothing is written. */
export const COMMIT: string = `
local MOST_TOLD, WATCH_MS, MOST_ORPHANS = 16, 3600000, 1000

-- Who waits for a live run hears of its end, however long it takes.
local function keepWatchers(key)
  if hasOnlyStops(open(key)) then call('PEXPIRE', P .. 'w:' .. key, WATCH_MS)
  else call('PERSIST', P .. 'w:' .. key) end
end

-- This process hears of the session from now on, although it has nothing there.
local function watch(key)
  if beatsOf(open(key))[beat] then return end
  call('HSET', P .. 'w:' .. key, beat, 1)
  keepWatchers(key)
end

local function write(key, record)
  if isIdle(record) then call('DEL', P .. 's:' .. key)
  elseif hasOnlyStops(record) then call('SET', P .. 's:' .. key, cmsgpack.pack(record), 'PX', q.retainMs)
  else call('SET', P .. 's:' .. key, cmsgpack.pack(record)) end
end

-- A request may come late, when its process is dead and tidied up: then it is tidied up once more.
local function join(other, key, version)
  call('ZADD', P .. 'nr:' .. other, version, key)
  if call('EXISTS', P .. 'n:' .. other) == 0 then
    call('ZADD', P .. 'processes', 'NX', math.floor(now() / 1000) + 3 * tonumber(meta[5] or 0), other)
  end
end

-- Each process has the sessions that concern it in a set, by their versions: what a lost message has not told is found there.
local function tell(key, record)
  local before, after, version = beatsBefore[key], beatsOf(record), versionOf(record)
  local watchers = call('HKEYS', P .. 'w:' .. key)
  local concerned, message = {}, nil
  for other in pairs(before) do concerned[other] = true end
  for other in pairs(after) do concerned[other] = true end
  for _, other in ipairs(watchers) do concerned[other] = true end
  local isAsked = key == q.sessionKey
  for other in pairs(concerned) do
    if other ~= beat or tellsOwn or not isAsked then
      if not message then
        -- A large record is read by who needs it.
        local size = #record.running + #record.stopping + #record.stops
        local snapshot = size <= MOST_TOLD and snapshotJson(key) or 'null'
        message = '["changed",' .. quoted(isAsked and q.nodeId or '') .. ',' .. quoted(key) .. ',' .. text(version) .. ','
          .. snapshot .. ']'
      end
      call('ZADD', P .. 'nr:' .. other, version, key)
      local heard = call('PUBLISH', P .. 'b:' .. other, message)
      if heard == 0 and not after[other] and call('EXISTS', P .. 'n:' .. other) == 0 then
        call('HDEL', P .. 'w:' .. key, other)
        call('ZREM', P .. 'nr:' .. other, key)
      end
    elseif after[other] and not before[other] then join(other, key, version)
    elseif before[other] and not after[other] then call('ZREM', P .. 'nr:' .. other, key) end
  end
  if #watchers == 0 then return end
  if isIdle(record) then call('DEL', P .. 'w:' .. key) else keepWatchers(key) end
end

local function writePointers()
  for id, pointer in pairs(pointers) do
    if pointer == false then call('DEL', P .. 'r:' .. id)
    elseif type(pointer) == 'string' then call('SET', P .. 'r:' .. id, pointer)
    else call('SET', P .. 'r:' .. id, 'E' .. cmsgpack.pack(pointer), 'PX', q.retainMs) end
  end
end

-- Runs whose process is dead are told to somebody once more, until that is acknowledged.
local function writeOrphans()
  for _, run in ipairs(orphans) do
    call('HSET', P .. 'orphans', text(run.generation), runJson(run, run.key))
    call('ZADD', P .. 'orphans:due', 0, text(run.generation))
  end
  local over = call('ZCARD', P .. 'orphans:due') - MOST_ORPHANS
  if over <= 0 then return end
  for _, generation in ipairs(call('ZRANGE', P .. 'orphans:due', 0, over - 1)) do
    call('ZREM', P .. 'orphans:due', generation)
    call('HDEL', P .. 'orphans', generation)
  end
end

local function commit(answer)
  if isCounterMoved then call('HSET', P .. 'meta', 'counter', text(counter)) end
  for _, key in ipairs(moved) do
    write(key, records[key])
    tell(key, records[key])
  end
  writePointers()
  if #orphans > 0 then writeOrphans() end
  return answer
end
`;
