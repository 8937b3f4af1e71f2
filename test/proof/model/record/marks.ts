import type { ReservedEpilogue, StopItem } from 'runfence/backend';
import type { Room, Run } from './parts.js';
import type { World } from './world.js';

/** What a stop or a takeover lists for one run. */
export function markItem(world: World, room: Room, item: StopItem, mark: (run: Run) => void): Run | undefined {
  const run = world.defect === 'replaces-any-generation' ? world.find(item.runId) : world.generation(room.key, item);
  if (run?.status === 'running') markRun(world, room, run, mark, item.hasEpilogue);
  else if (run?.status === 'stopping' && item.hasEpilogue) announce(world, room, run);
  const revoked = world.defect === 'revokes-any-grant' ? item.revoke !== undefined : room.holder?.token === item.revoke;
  if (revoked) world.free(room);
  return run;
}

export function markRun(world: World, room: Room, run: Run, mark: (run: Run) => void, hasEpilogue: boolean): void {
  run.status = 'stopping';
  mark(run);
  run.grantAtStop = room.lastGrant;
  if (hasEpilogue) run.hasEpilogue = true;
  if (run.hasEpilogue) reserve(world, room, run);
}

/** Once, if no grant came since the stop. */
export function announce(world: World, room: Room, run: Run): void {
  if (run.hasEpilogue) return;
  run.hasEpilogue = true;
  if (run.status !== 'stopping' || world.defect === 'late-never-reserves') return;
  const isInTime = run.grantAtStop === room.lastGrant;
  if (isInTime || world.defect === 'late-always-reserves') reserve(world, room, run);
}

function reserve(world: World, room: Room, { runId, nodeId }: Run): void {
  room.reserved.push({ runId, nodeId, token: world.draw(room) });
}

export const reservationOf = (room: Room, run: Run): ReservedEpilogue | undefined =>
  room.reserved.find(({ runId }) => runId === run.runId);

export function epiloguesOf(room: Room, runs: readonly Run[]): ReservedEpilogue[] {
  const isMeant = ({ runId }: ReservedEpilogue): boolean => runs.some((run) => run.runId === runId);
  return room.reserved.filter(isMeant).map(({ runId, token }) => ({ runId, token }));
}
