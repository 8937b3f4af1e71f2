/** A piece of the scripts, and what is put in its place. */
export type Defect = readonly [name: string, from: string, to: string];

/**
 * Mistakes that one could make in the scripts. Each must be found by comparing with the reference. That a resent stop does
 * not hit what its answer named is too rare there: `stop-resent` of the conformance suite has it.
 */
export const DEFECTS: readonly Defect[] = [
  ['a claim that is sent again is a duplicate of itself', 'known.attempt == q.attempt', 'false'],
  ['an ended run of the id is no duplicate', 'known.generation ~= q.repeats', 'false'],
  ['a node is stopped by its own kept stops', 'stop.node ~= q.nodeId and q.since', 'q.since'],
  ['intents of the list are told again after they were judged', 'stop.number > (q.listJudged or 0)', 'true'],
  ['kept stops are told again after they were judged', 'if stop.number <= q.judged then return false end', ''],
  ['a stop from before the candidate concerns it', 'stop.number > q.since', 'true'],
  ['a run that a resent stop names is not met', 'if isOneOf(q.runId, stop.unmet) then return true end', ''],
  [
    'the run that is replaced is in the way',
    'return true end\n  end\n  return false\nend\n\n-- Whether somebody',
    'return false end\n  end\n  return false\nend\n\n-- Whether somebody',
  ],
  ['a stopping run is in nobody’s way', 'q.whenQuiet and isBlocked', 'false and isBlocked'],
  ['an ancestor is in the way', 'if not isOneOf(run.id, q.beside) and not', 'if not'],
  ['a probe is granted', "if q.mode == 'probe' then return 'busy' end", ''],
  ['the outcome is written twice', "run.status == 'stopping' and q.status ~= 'aborted'", 'false'],
  ['an ended run keeps its place for the epilogue', 'if at then table.remove(record.reserved, at) end', ''],
  ['an ended run is retained though nobody wants it', 'if not q.retain then pointers[run.id] = false end', ''],
  [
    'the end has another reason than the stop',
    "if run.status == 'running' and status == 'aborted' then",
    "if status == 'aborted' then",
  ],
  ['an epilogue is reserved after a later grant', 'run.grantAtStop == records[key].lastGrant', 'true'],
  [
    'an epilogue counts as a grant',
    'grant.run, grant.token = first.run, first.token',
    'grant.run, grant.token, record.lastGrant = first.run, first.token, drawn',
  ],
  ['the next holder does not wait for an epilogue', '(first and first.token ~= q.reserved)', 'false'],
  ['a stopped run gets the lock', "run ~= nil and run.status == 'running'", 'run ~= nil'],
  ['a lock that is asked for again is busy', 'holder.node == q.nodeId and record.attempt == q.attempt', 'false'],
  ['a reservation cannot be given back', 'local _, at = reservation(record, q.token)', 'local at'],
  ['a kept stop that comes twice stops twice', 'kept.node == q.nodeId and kept.attempt == q.attempt', 'false'],
  [
    'a forgotten stop that comes again is a new one',
    'if not q.number and forgottenBy(q.nodeId, q.attempt) then return answer() end',
    '',
  ],
  [
    'a forgotten stop of the list is listed again',
    'local forgotten = not q.number and forgottenBy(q.nodeId, q.attempt)',
    'local forgotten',
  ],
  ['a resent stop hits what was begun after it', 'run.generation < q.number', 'true'],
  ['a stop that selects selects once more', 'if #earlier > 0 then\n', 'if false then\n'],
  ['a resent stop has a new number', 'number = q.number or drawn, node', 'number = drawn, node'],
  [
    'a resent stop of the list has a new number',
    'local number = q.number or list.version',
    'local number = list.version',
  ],
  ['a resent stop is the newest', 'while at > 0 and stops[at].number >= stop.number do at = at - 1 end', ''],
  [
    'a burial does not look at the list',
    'for _, stop in ipairs(stopList().stops) do\n    if stop.number > run.listSince',
    'for _, stop in ipairs({}) do\n    if stop.number > run.listSince',
  ],
  ['a burial looks at stops from before the run was a candidate', 'stop.number > run.listSince', 'true'],
  ['a burial looks at the generation', 'stop.number > run.listSince', 'stop.number > run.generation'],
  ['a stranger’s stop is the reason of a death', 'and mayStop(said.requester, run)', ''],
  [
    'the dead keep the lock',
    'if record.holder and record.holder.beat == other then record.holder, record.attempt = nil, nil end',
    '',
  ],
  [
    'the dead keep their reservations',
    'if record.reserved[at].beat == other then table.remove(record.reserved, at) end',
    '',
  ],
  ['one that asks may be dead', 'if other == beat then return false end', ''],
  ['nobody is ever dead', "call('EXISTS', P .. 'n:' .. other) == 0", 'false'],
  ['a mark moves no version', 'if isTouched and not isDrawn then drawFor(key) end', ''],
  ['the answer of a burial has no record', '  isNews = true\nend', 'end'],
  [
    'a stop does not take the grant',
    'if item.revoke and release(records[key], item.revoke) then isTouched = true end',
    '',
  ],
  ['a stop does not hear of an epilogue', 'if item.hasEpilogue then run.hasEpilogue = true end', ''],
  ['a check holds for a stopped run', "or run.status ~= 'running' then return 'false' end", "then return 'false' end"],
  ['a check holds without the lock', 'record.holder.token == q.token)', 'true)'],
  ['a number comes twice', "if isCounterMoved then call('HSET', P .. 'meta', 'counter', text(counter)) end", ''],
  [
    'a record that has changed is not told',
    'isNews = not (q.seen == versionOf(record) or (q.seen == 0 and isIdle(record)))',
    'isNews = false',
  ],
  [
    'a run of another session counts',
    'run.generation == item.generation and at == key',
    'run.generation == item.generation',
  ],
  ['another generation of the id counts', 'run.generation == item.generation and at == key', 'at == key'],
  [
    'a selector is not held against the tags',
    'if selector.tag and not indexOf(info.tags, selector.tag) then return false end',
    '',
  ],
  [
    'a selector is not held against the owner',
    'return not selector.owner or hasIds(info.owner, selector.owner)',
    'return true',
  ],
  ['what is forgotten is there still', 'forget(table.remove(stops, at))', 'forget(stops[at])'],
];
