import type { RecordedStop, StoppedRun, StopRequest } from 'runfence/backend';
import { epiloguesOf, markItem, markRun } from './marks.js';
import { isLive, type Kept, type Room, type Run, told } from './parts.js';
import { isAimedAt, type World } from './world.js';

/** Marks what is listed and selected, and keeps the stop for what is not there yet. */
export function stop(world: World, room: Room, request: StopRequest): object {
  const { nodeId, attempt, number, named, record, reason, detail } = request;
  const by = `${nodeId} ${attempt}`;
  const kept = room.stops.find(({ stop }) => stop.nodeId === nodeId && stop.attempt === attempt);
  if (kept !== undefined && world.defect !== 'no-attempt-id') return stoppedAgain(world, room, request, kept, by);
  if (number === undefined && world.forgotten.has(by)) return { number: undefined, runs: [], epilogues: [] };
  world.counter = Math.max(world.counter, number ?? 0);
  const isBefore = (run: Run): boolean =>
    number === undefined ||
    run.generation < number ||
    named.includes(run.runId) ||
    world.defect === 'resent-without-number';
  const mark = (run: Run): void => {
    run.reason = reason;
    if (detail !== undefined) run.detail = detail;
    run.stoppedBy = by;
  };
  const earlier = world.live(room.key).filter((run) => run.stoppedBy === by);
  const isAgain = request.select !== undefined && earlier.length > 0 && world.defect !== 'no-attempt-id';
  const runs: StoppedRun[] = [];
  const found: Run[] = [];
  for (const item of request.runs) {
    const run = world.generation(room.key, item);
    const isLater = run?.status === 'running' && !isBefore(run);
    if (!isLater) markItem(world, room, item, mark);
    runs.push(foundOf(item.runId, isLater ? undefined : run, by));
    if (run !== undefined && !isLater) found.push(run);
  }
  const { select } = request;
  const selected = isAgain
    ? earlier.filter((run) => !found.includes(run))
    : world
        .live(room.key)
        .filter((run) => select && run.status === 'running' && isAimedAt(select, run) && isBefore(run));
  for (const run of selected) {
    if (!isAgain) markRun(world, room, run, mark, false);
    runs.push(foundOf(run.runId, run, by));
    found.push(run);
  }
  const epilogues = epiloguesOf(room, found);
  const isAlone = world.nodes.size === 1 && world.nodes.has(nodeId);
  if (record === undefined || isAgain || (isAlone && !record.intent && request.select === undefined))
    return { number: undefined, runs, epilogues };
  const drawn = world.draw(room);
  const unmet = named.filter((runId) => world.find(runId)?.sessionKey !== room.key);
  const marked = [...runs.filter((run) => run.found === 'stopped').map((run) => run.runId), ...unmet];
  const stop: RecordedStop = {
    number: number ?? drawn,
    nodeId,
    attempt,
    ...record,
    reason,
    ...(detail !== undefined && { detail }),
    marked,
  };
  room.stops = [...room.stops, { stop, unmet }].sort((a, b) => a.stop.number - b.stop.number);
  return { number: stop.number, runs, epilogues };
}

function stoppedAgain(world: World, room: Room, request: StopRequest, { stop, unmet }: Kept, by: string): object {
  const mine = stop.marked.filter((runId) => !unmet.includes(runId));
  const listed = request.runs.map(({ runId }) => runId);
  const found: Run[] = [];
  const answers = request.runs.map((item): StoppedRun => {
    const run = world.generation(room.key, item);
    if (run === undefined && mine.includes(item.runId)) return { runId: item.runId, found: 'stopped', run: undefined };
    const isLater = run?.status === 'running';
    if (run !== undefined && !isLater) found.push(run);
    return foundOf(item.runId, isLater ? undefined : run, by);
  });
  for (const runId of mine) {
    if (listed.includes(runId)) continue;
    const run = world.runs.find((other) => other.runId === runId && other.stoppedBy === by);
    if (run !== undefined) found.push(run);
    answers.push({ runId, found: 'stopped', run: run && told(run) });
  }
  return { number: stop.number, runs: answers, epilogues: epiloguesOf(room, found) };
}

function foundOf(runId: string, run: Run | undefined, by: string): StoppedRun {
  if (run === undefined) return { runId, found: 'unknown', run: undefined };
  const found = run.stoppedBy === by ? 'stopped' : isLive(run) ? 'stopping' : 'ended';
  return { runId, found, run: told(run) };
}
