/** Stops that are kept no more are known by their attempts: a request that comes twice may come late. */
export const FORGOTTEN: string = `
local MOST_FORGOTTEN = 1000

local function forget(stop)
  call('ZADD', P .. 'forgotten', stop.number, stop.node .. ' ' .. text(stop.attempt))
  call('ZREMRANGEBYRANK', P .. 'forgotten', 0, -MOST_FORGOTTEN - 1)
end

local function forgottenBy(node, attempt)
  local number = call('ZSCORE', P .. 'forgotten', node .. ' ' .. text(attempt))
  return number and tonumber(number)
end

-- A number that a failover took back is in use again.
local function reach(number)
  if number > counter then counter, isCounterMoved = number, true end
end

-- One that is sent again has an old number.
local function insertInOrder(stops, stop)
  local at = #stops
  while at > 0 and stops[at].number >= stop.number do at = at - 1 end
  table.insert(stops, at + 1, stop)
end
`;

/** Marks runs of one session, and keeps the stop if it is to be kept. */
export const STOP_BODY: string = `
local key = q.sessionKey
local record = begin(key)
local by = {
  reason = q.reason, detail = q.detail, supersededBy = q.supersededBy, node = q.nodeId, attempt = q.attempt,
}
local found, runs = {}, {}

local function isStoppedByThis(run) return run.stopNode == q.nodeId and run.stopAttempt == q.attempt end

-- A run that runs on was begun after this stop: it is not what was meant.
local function add(id, run)
  if run and run.status == 'running' then run = nil end
  if run then runs[#runs + 1] = run end
  local what = 'unknown'
  if run then what = isStoppedByThis(run) and 'stopped' or (run.status == 'stopping' and 'stopping' or 'ended') end
  found[#found + 1] = { id = id, found = what, run = run }
end

local function foundJson(one)
  return '[' .. quoted(one.id) .. ',"' .. one.found .. '",' .. (one.run and runJson(one.run, key) or 'null') .. ']'
end

local function answer(number)
  return commit('[' .. (number and text(number) or 'null') .. ',' .. listJson(found, foundJson) .. ','
    .. epiloguesJson(record, runs) .. ',' .. about(key) .. ']')
end

-- The first answer once more, with the runs as they are now.
local function again(kept)
  local rest, order = {}, {}
  for _, id in ipairs(kept.marked) do
    if not indexOf(kept.unmet, id) then rest[id] = true order[#order + 1] = id end
  end
  for _, item in ipairs(q.runs) do
    local run = runOf(key, item)
    if not run and rest[item.runId] then found[#found + 1] = { id = item.runId, found = 'stopped' }
    else add(item.runId, run) end
    rest[item.runId] = nil
  end
  for _, id in ipairs(order) do
    if rest[id] then
      rest[id] = nil
      local run, at = find(id)
      if run and isStoppedByThis(run) and at == key then add(id, run)
      else found[#found + 1] = { id = id, found = 'stopped' } end
    end
  end
  return answer(kept.number)
end

-- A stop that is sent again after a failover hits what was begun before it, and what its answer named.
local function isBefore(run)
  return not q.number or run.generation < q.number or indexOf(q.named, run.id) ~= nil
end

local function markListed()
  for _, item in ipairs(q.runs) do
    local run = runOf(key, item)
    if not isIdle(record) and (not run or run.status ~= 'running' or isBefore(run)) then markItem(key, item, run, by) end
    add(item.runId, run)
  end
end

-- What runs now may have begun since the stop was sent first.
local function selectedBefore()
  local before = {}
  if not q.select then return before end
  for _, run in ipairs(record.stopping) do if isStoppedByThis(run) then before[#before + 1] = run end end
  return before
end

local function markSelected()
  if not q.select then return end
  for _, run in ipairs(copy(record.running)) do
    if isAimedAt(q.select, run, key) and isBefore(run) then
      mark(key, run, by)
      add(run.id, run)
    end
  end
end

for _, kept in ipairs(record.stops) do
  if kept.node == q.nodeId and kept.attempt == q.attempt then return again(kept) end
end
-- Its first answer came long ago, or nobody would have had it forgotten. With its number it comes after a failover.
if not q.number and forgottenBy(q.nodeId, q.attempt) then return answer() end
if q.number then reach(q.number) end
local earlier = selectedBefore()
markListed()
if #earlier > 0 then
  local listed = copy(runs)
  for _, run in ipairs(earlier) do if not indexOf(listed, run) then add(run.id, run) end end
else markSelected() end

if not q.record or #earlier > 0 then
  settle(key)
  return answer()
end
local drawn = drawFor(key)
local stop = {
  number = q.number or drawn, node = q.nodeId, attempt = q.attempt, intent = q.record.intent,
  aimedAt = q.record.aimedAt, said = q.record.said, marked = {}, unmet = {},
}
for _, one in ipairs(found) do if one.found == 'stopped' then stop.marked[#stop.marked + 1] = one.id end end
for _, id in ipairs(q.named) do
  local _, at = find(id)
  if at ~= key then
    stop.marked[#stop.marked + 1] = id
    stop.unmet[#stop.unmet + 1] = id
  end
end
insertInOrder(record.stops, stop)
return answer(stop.number)
`;

/** Appends to the list of the whole backend. What is too old for anybody goes. */
export const STOP_EVERYWHERE_BODY: string = `
local stops = stopList().stops
for _, stop in ipairs(stops) do
  if stop.node == q.nodeId and stop.attempt == q.attempt then return '[' .. text(stop.number) .. ',null]' end
end
local forgotten = not q.number and forgottenBy(q.nodeId, q.attempt)
if forgotten then return '[' .. text(forgotten) .. ',null]' end
while #stops > 0 and stops[1].number < now() - q.retainMs * 1000 do forget(table.remove(stops, 1)) end
if q.number then reach(q.number) end
list.version = draw()
local number = q.number or list.version
insertInOrder(stops, {
  number = number, node = q.nodeId, attempt = q.attempt, intent = q.intent, aimedAt = q.aimedAt, said = q.said,
})
saveList()
call('PUBLISH', P .. 'all', '["listed",' .. quoted(q.nodeId) .. ',' .. text(list.version) .. ','
  .. listJson(stops, stopJson) .. ']')
return commit('[' .. text(number) .. ',' .. text(list.version) .. ']')
`;
