/** Taking from processes whose lease has ended, and the stops of the whole backend, which are judged before that. */
export const LIST: string = `
local list
local function stopList()
  if not list then
    local packed = call('GET', P .. 'list')
    list = packed and cmsgpack.unpack(packed) or { version = 0, stops = {} }
  end
  return list
end

local function saveList() call('SET', P .. 'list', cmsgpack.pack(list)) end

local function listVersion() return math.max(stopList().version, floor) end

local function hasIds(owner, wanted)
  for _, name in ipairs({ 'userId', 'deviceId', 'connId' }) do
    if wanted[name] and not (owner and owner[name] == wanted[name]) then return false end
  end
  return true
end

local function sharesId(owner, requester)
  for _, name in ipairs({ 'userId', 'deviceId', 'connId' }) do
    if owner[name] and owner[name] == requester[name] then return true end
  end
  return false
end

local function isAimedAt(selector, run, key)
  if selector.runId and selector.runId ~= run.id then return false end
  if selector.sessionKey and selector.sessionKey ~= key then return false end
  if selector.generation and selector.generation ~= run.generation then return false end
  local info = cjson.decode(run.info)
  if selector.kind and selector.kind ~= info.kind then return false end
  if selector.tag and not indexOf(info.tags, selector.tag) then return false end
  return not selector.owner or hasIds(info.owner, selector.owner)
end

-- The host and ADMIN may stop everything.
local function mayStop(requester, run)
  if not requester or requester.admin == true then return true end
  local owner = cjson.decode(run.info).owner
  return owner ~= nil and sharesId(owner, requester)
end
`;

export const BURIAL: string = `
local gone = {}

-- A lease that has ended takes nothing away by itself: it lets others take what they need. One that asks is alive.
local function isGone(other)
  if other == beat then return false end
  if gone[other] == nil then gone[other] = call('EXISTS', P .. 'n:' .. other) == 0 and now() / 1000 >= quiet end
  return gone[other]
end

-- A stop of the whole backend was before the death: a run that was stopped is not begun again as lost.
local function whyOf(run, key)
  for _, stop in ipairs(stopList().stops) do
    if stop.number > run.listSince then
      local said = cjson.decode(stop.said)
      if isAimedAt(said.selector, run, key) and mayStop(said.requester, run) then return said.reason, said.detail end
    end
  end
  return 'heartbeat-lost'
end

-- Takes away all that a process has in one session.
local function bury(key, other)
  local record = open(key)
  for _, runs in ipairs({ copy(record.running), copy(record.stopping) }) do
    for _, run in ipairs(runs) do
      if run.beat == other then
        leave(key, run, 'aborted', whyOf(run, key))
        orphans[#orphans + 1] = run
      end
    end
  end
  if record.holder and record.holder.beat == other then record.holder, record.attempt = nil, nil end
  for at = #record.reserved, 1, -1 do
    if record.reserved[at].beat == other then table.remove(record.reserved, at) end
  end
  drawFor(key)
  isNews = true
end
`;
