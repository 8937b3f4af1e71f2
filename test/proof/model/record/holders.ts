import type { EndRequest, LockRequest } from 'runfence/backend';
import { reservationOf } from './marks.js';
import { isLive, type Room, told } from './parts.js';
import type { World } from './world.js';

/** The first result stays. */
export function end(world: World, room: Room, request: EndRequest): object {
  const run = world.generation(room.key, request);
  if (run === undefined) return { kind: 'ended', run: undefined };
  if (!isLive(run)) return { kind: 'ended', run: told(run) };
  const isStopping = run.status === 'stopping' && world.defect !== 'ends-over-a-stop';
  if (isStopping && request.status !== 'aborted') {
    return { kind: 'stopping', run: told(run), epilogue: reservationOf(room, run)?.token };
  }
  if (run.status === 'running' && request.status === 'aborted') {
    run.reason = request.reason ?? 'policy';
    if (request.detail !== undefined) run.detail = request.detail;
  }
  run.status = request.status;
  run.report = request.report ?? run.report;
  if (world.defect !== 'end-leaves-reservation') {
    room.reserved = room.reserved.filter(({ runId }) => runId !== run.runId);
  }
  if (!request.retain) world.drop(run);
  return { kind: 'ended', run: told(run) };
}

/** One holder, and the reserved epilogues before the next. */
export function lock(world: World, room: Room, request: LockRequest): object {
  const { nodeId, attempt, reserved, run, since } = request;
  const isSame = room.holder?.nodeId === nodeId && room.holderAttempt === attempt;
  if (isSame && world.defect !== 'lock-no-attempt-id') return { kind: 'granted', token: room.holder?.token };
  const isStale =
    reserved !== undefined
      ? !room.reserved.some(({ token }) => token === reserved)
      : run !== undefined && world.generation(room.key, run)?.status !== 'running';
  if (isStale) return { kind: 'stale' };
  const own = room.reserved.findIndex(({ token }) => token === reserved);
  const before = own < 0 ? room.reserved : room.reserved.slice(0, own);
  world.buryThoseOf(room, room.holder === undefined ? before : [room.holder, ...before], nodeId);
  const [first] = room.reserved;
  const isBehind =
    first !== undefined &&
    (reserved === undefined
      ? world.defect !== 'ignores-reservation'
      : first.token !== reserved && world.defect !== 'any-reservation-first');
  if (room.holder !== undefined || isBehind) return { kind: 'busy', holder: room.holder };
  const drawn = world.draw(room);
  const taken = room.reserved.find(({ token }) => token === reserved);
  room.reserved = room.reserved.filter((reservation) => reservation !== taken);
  const token = taken?.token ?? drawn;
  if (taken === undefined) room.lastGrant = token;
  const isEpilogue = taken !== undefined;
  room.holder = { runId: isEpilogue ? taken.runId : run?.runId, nodeId, token, since, isEpilogue };
  room.holderAttempt = attempt;
  return { kind: 'granted', token };
}
