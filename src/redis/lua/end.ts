/** Ends a run. The first result stays. */
export const END_BODY: string = `
local key = q.sessionKey
local record = begin(key)
local run = runOf(key, q)
if not run or not isLive(run) then
  return commit('["ended",' .. (run and runJson(run, key) or 'null') .. ',' .. about(key) .. ']')
end
local place, at = reservationOf(record, run.id)
if run.status == 'stopping' and q.status ~= 'aborted' then
  return commit('["stopping",' .. runJson(run, key) .. ',' .. (place and text(place.token) or 'null') .. ','
    .. about(key) .. ']')
end
leave(key, run, q.status, q.reason or 'policy', q.detail)
if q.report then run.report = q.report end
if at then table.remove(record.reserved, at) end
if not q.retain then pointers[run.id] = false end
drawFor(key)
return commit('["ended",' .. runJson(run, key) .. ',' .. about(key) .. ']')
`;

/** Adds to the record of a live run. Sent again, a report is no change. */
export const ANNOUNCE_BODY: string = `
local key = q.sessionKey
local record = begin(key)
local run = runOf(key, q)
if not run or not isLive(run) then return commit('["stale",null,' .. about(key) .. ']') end
if q.hasEpilogue then announce(key, run) end
if q.report and run.status == 'stopping' and q.report ~= run.report then
  run.report, isTouched = q.report, true
end
settle(key)
local place = reservationOf(record, run.id)
return commit('["announced",' .. (place and text(place.token) or 'null') .. ',' .. about(key) .. ']')
`;

/** Drops a retained run, a stop of a session, or a stop of the whole backend. It moves no version. */
export const FORGET_BODY: string = `
local function take(stops, number)
  for at, stop in ipairs(stops) do
    if stop.number == number then
      forget(table.remove(stops, at))
      return true
    end
  end
end

if q.listed then
  if take(stopList().stops, q.listed) then saveList() end
elseif q.runId then
  local run = runOf(q.sessionKey, q)
  if run and not isLive(run) then call('DEL', P .. 'r:' .. run.id) end
else
  local record = open(q.sessionKey)
  if take(record.stops, q.stop) then write(q.sessionKey, record) end
end
return 'null'
`;
