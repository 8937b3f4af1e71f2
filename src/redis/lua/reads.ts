/** Whether a run is running, and whether the lock is held with this token. */
export const CHECK_BODY: string = `
local record = open(q.sessionKey)
if q.run then
  local run = liveIn(record, q.run.runId)
  if not run or run.generation ~= q.run.generation or run.status ~= 'running' then return 'false' end
end
local isHeld = not q.token or (record.holder ~= nil and record.holder.token == q.token)
return tostring(isHeld)
`;

export const READ_SESSION_BODY: string = `
if q.watch then watch(q.sessionKey) end
return snapshotJson(q.sessionKey)
`;

export const READ_RUN_BODY: string = `
local run, key = find(q.runId)
if not run or (q.sessionKey and q.sessionKey ~= key) then return 'null' end
if q.watch then watch(key) end
return runJson(run, key)
`;

/** A part of the records that concern a process: `next` is where to go on, 0 at the end. */
export const READ_PART_BODY: string = `
local part = call('ZSCAN', P .. 'nr:' .. q.of, q.cursor, 'COUNT', 200)
local snapshots = {}
for at = 1, #part[2], 2 do
  local key = part[2][at]
  if not isIdle(open(key)) then snapshots[#snapshots + 1] = snapshotJson(key) end
end
return '["' .. part[1] .. '",[' .. table.concat(snapshots, ',') .. ']]'
`;

/** The processes of which something may be left. */
export const READ_PROCESSES_BODY: string = `
return listJson(call('ZRANGE', P .. 'processes', 0, -1), quoted)
`;

export const READ_STOPS_BODY: string = `
return '[' .. text(listVersion()) .. ',' .. listJson(stopList().stops, stopJson) .. ']'
`;
