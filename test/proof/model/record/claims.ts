import type { ClaimRequest, RecordedStop, ReservedEpilogue } from 'runfence/backend';
import { epiloguesOf, markItem } from './marks.js';
import { isLive, type Kept, type Room, type Run, told } from './parts.js';
import type { World } from './world.js';

/** The same attempt, duplicate, stopped, busy, not quiet, granted: in this order. */
export function claim(world: World, room: Room, request: ClaimRequest): object {
  const { runId, nodeId, attempt } = request;
  let taken = world.find(runId);
  if (taken !== undefined && isLive(taken)) {
    const isSame = taken.nodeId === nodeId && taken.attempt === attempt && taken.sessionKey === room.key;
    if (isSame && world.defect !== 'no-attempt-id') {
      const replaced = request.replaces
        .map((item) => world.generation(room.key, item))
        .filter((run) => run !== undefined);
      return grantedTo(taken, epiloguesOf(room, replaced));
    }
    if (world.isGone(taken.nodeId, nodeId)) world.bury(taken.sessionKey, taken.nodeId);
  }
  const isRepeated =
    taken !== undefined &&
    !isLive(taken) &&
    (taken.generation === request.repeats ||
      (world.defect === 'repeats-any-generation' && request.repeats !== undefined));
  if (taken !== undefined && !isRepeated) return { kind: 'duplicate', run: told(taken) };
  const kept = room.stops.filter((one) => mayConcern(world, one, request)).map(({ stop }) => stop);
  const stops = [...kept, ...intentsFor(world, request)].sort((a, b) => a.number - b.number);
  const now = { now: world.counter, listNow: world.counter };
  if (stops.length > 0) return { kind: 'stopped', stops, ...now };
  const kind = inTheWay(world, room, request);
  if (kind !== undefined) {
    if (world.defect === 'marks-if-refused') supersede(world, room, request);
    return { kind, now: world.counter, listNow: world.counter };
  }
  if (taken !== undefined) world.drop(taken);
  const epilogues = supersede(world, room, request);
  const generation = world.draw(room);
  taken = begun(request, generation);
  world.runs.push(taken);
  return grantedTo(taken, epilogues);
}

function mayConcern(world: World, { stop, unmet }: Kept, { runId, nodeId, since, judged }: ClaimRequest): boolean {
  if (stop.number <= judged || world.defect === 'ignores-stops') return false;
  const isNamed = unmet.includes(runId) && world.defect !== 'resent-without-names';
  const isIntended = stop.intent && stop.selector.runId === runId;
  const isLater = !stop.intent && stop.nodeId !== nodeId && since !== undefined && stop.number > since;
  return isNamed || isIntended || isLater;
}

/** Those of the whole backend. */
function intentsFor({ list, defect }: World, { runId, listJudged }: ClaimRequest): RecordedStop[] {
  if (defect === 'ignores-listed-intents') return [];
  return list
    .filter((stop) => stop.intent && stop.selector.runId === runId && stop.number > (listJudged ?? 0))
    .map((stop) => ({ ...stop, intent: true, marked: [] }));
}

function inTheWay(world: World, room: Room, request: ClaimRequest): 'busy' | 'not-quiet' | undefined {
  const { mode, whenQuiet, beside, replaces } = request;
  const { defect } = world;
  if (mode === 'probe') return 'busy';
  const others = (status: string): Run[] =>
    world.live(room.key).filter((run) => run.status === status && !beside.includes(run.runId));
  const isReplaced = (run: Run): boolean =>
    defect !== 'takeover-buries' &&
    replaces.some(
      ({ runId, generation }) =>
        runId === run.runId && (generation === run.generation || defect === 'replaces-any-generation'),
    );
  const first = (): Run[] => (mode === 'exclusive' ? others('running').filter((run) => !isReplaced(run)) : []);
  world.buryThoseOf(room, first(), request.nodeId);
  if (first().some((run) => !(defect === 'takeover-buries' && replaces.some(({ runId }) => runId === run.runId)))) {
    return 'busy';
  }
  if (!whenQuiet) return undefined;
  world.buryThoseOf(room, others('stopping'), request.nodeId);
  return others('stopping').length > 0 ? 'not-quiet' : undefined;
}

function supersede(world: World, room: Room, { replaces, runId }: ClaimRequest): ReservedEpilogue[] {
  const runs: Run[] = [];
  for (const item of replaces) {
    const run = markItem(world, room, item, (marked) => {
      marked.reason = 'superseded';
      marked.supersededBy = runId;
    });
    if (run !== undefined) runs.push(run);
  }
  return epiloguesOf(room, runs);
}

function grantedTo({ generation, listSince }: Run, epilogues: readonly ReservedEpilogue[]): object {
  return { kind: 'granted', generation, listSince, epilogues };
}

function begun(request: ClaimRequest, generation: number): Run {
  const { sessionKey, runId, nodeId, attempt, kind, owner, tags, fingerprint, graceMs, hasEpilogue } = request;
  return {
    ...{ sessionKey, runId, generation, nodeId, attempt, kind, owner, tags, fingerprint, graceMs, hasEpilogue },
    ...{ status: 'running', reason: undefined, supersededBy: undefined, report: undefined },
    ...{ listSince: request.listSince ?? generation, stoppedBy: '', grantAtStop: 0 },
  };
}
