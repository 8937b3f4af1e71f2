import type {
  AnnounceRequest,
  CheckRequest,
  ClaimRequest,
  EndRequest,
  ForgetRequest,
  ListedStop,
  LockRequest,
  Snapshot,
  StopEverywhereRequest,
  StopRequest,
  UnlockRequest,
} from 'runfence/backend';
import { claim } from './claims.js';
import { end, lock } from './holders.js';
import { announce, reservationOf } from './marks.js';
import { type Defect, isLive, type Room } from './parts.js';
import { stop } from './stops.js';
import { World } from './world.js';

/** What an answer has to be. */
export interface Expected {
  /** All of it but for the record. */
  readonly answer: object;
  readonly version: number;
  readonly snapshot: Snapshot;
  /** Whether the record has to come with it. */
  readonly isNews: boolean;
  /** Whether it may, though nothing has happened since: a backend may have forgotten that it knew the session. */
  readonly mayBeNews: boolean;
  /** The sessions whose records have changed. */
  readonly moved: readonly string[];
}

/** The record of every session, in words of its own. It shares nothing with the backend that it is compared with. */
export class Reference {
  readonly world: World;

  constructor(defect?: Defect) {
    this.world = new World(defect);
  }

  claim(request: ClaimRequest): Expected {
    return this.#change(request, (room) => claim(this.world, room, request));
  }

  stop(request: StopRequest): Expected {
    return this.#change(request, (room) => stop(this.world, room, request));
  }

  end(request: EndRequest): Expected {
    return this.#change(request, (room) => end(this.world, room, request));
  }

  announce(request: AnnounceRequest): Expected {
    return this.#change(request, (room) => {
      const run = this.world.generation(room.key, request);
      if (run === undefined || !isLive(run)) return { kind: 'stale', epilogue: undefined };
      if (request.hasEpilogue) announce(this.world, room, run);
      if (request.report !== undefined && run.status === 'stopping') run.report = request.report;
      return { kind: 'announced', epilogue: reservationOf(room, run)?.token };
    });
  }

  lock(request: LockRequest): Expected {
    return this.#change(request, (room) => lock(this.world, room, request));
  }

  unlock(request: UnlockRequest): Expected {
    return this.#change(request, (room) => {
      const isHeld = room.holder?.token === request.token;
      const isReserved = room.reserved.some(({ token }) => token === request.token);
      if (isHeld) this.world.free(room);
      room.reserved = room.reserved.filter(({ token }) => token !== request.token);
      return { wasHeld: isHeld || isReserved };
    });
  }

  stopEverywhere(request: StopEverywhereRequest): { number: number } {
    const { nodeId, attempt, selector, requester, reason, detail, intent, number } = request;
    const { world } = this;
    const known = world.list.find((stop) => stop.nodeId === nodeId && stop.attempt === attempt);
    if (known !== undefined && world.defect !== 'no-attempt-id') return { number: known.number };
    const forgotten = world.forgotten.get(`${nodeId} ${attempt}`);
    if (number === undefined && forgotten !== undefined) return { number: forgotten };
    world.counter = Math.max(world.counter, number ?? 0);
    world.listVersion = world.number();
    const stop: ListedStop = {
      ...{ number: number ?? world.listVersion, nodeId, attempt, selector, requester, reason },
      ...(detail !== undefined && { detail }),
      ...(intent === true && { intent }),
    };
    world.list = [...world.list, stop].sort((a, b) => a.number - b.number);
    if (world.defect === 'list-moves-records') for (const room of world.rooms) room.version = world.listVersion;
    return { number: stop.number };
  }

  check({ sessionKey, run, token }: CheckRequest): boolean {
    const isRunning = run === undefined || this.world.generation(sessionKey, run)?.status === 'running';
    return isRunning && (token === undefined || this.world.room(sessionKey).holder?.token === token);
  }

  forget(what: ForgetRequest): void {
    const { world } = this;
    const stops = [...world.list, ...world.rooms.flatMap((room) => room.stops.map(({ stop }) => stop))];
    const kept = 'listed' in what ? what.listed : 'stop' in what ? what.stop : undefined;
    for (const stop of stops) if (stop.number === kept) world.forgotten.set(`${stop.nodeId} ${stop.attempt}`, kept);
    if ('listed' in what) world.list = world.list.filter(({ number }) => number !== what.listed);
    else if ('runId' in what) {
      const run = world.generation(what.sessionKey, what);
      if (run !== undefined && !isLive(run)) world.drop(run);
    } else {
      const room = world.room(what.sessionKey);
      room.stops = room.stops.filter(({ stop }) => stop.number !== what.stop);
    }
    world.tidy();
  }

  /** The last that listened has gone. */
  dropEnded(): void {
    this.world.runs = this.world.runs.filter(isLive);
  }

  /** What changes a record draws a number: the record is compared with what it was, whoever changed it. */
  #change(
    { sessionKey, seen }: { readonly sessionKey: string; readonly seen: number },
    act: (room: Room) => object,
  ): Expected {
    const { world } = this;
    const room = world.room(sessionKey);
    const isSeen = world.isSeen(room, seen);
    const isUnknown = room.version === 0 && seen !== 0 && seen !== world.counter;
    const before = contents(world, room);
    world.moved = [];
    world.buried = false;
    const answer = act(room);
    const isChanged = contents(world, room) !== before;
    if (isChanged && !world.moved.includes(sessionKey) && world.defect !== 'silent-mark') world.draw(room);
    world.tidy();
    const isNews = world.defect === 'left-out-too-often' ? !isSeen : !isSeen || world.buried;
    const { moved } = world;
    const mayBeNews = isNews || isUnknown;
    return { answer, version: world.version(room), snapshot: world.snapshot(room), isNews, mayBeNews, moved };
  }
}

/** The record without its version. */
function contents(world: World, room: Room): string {
  const { version: _, ...rest } = world.snapshot(room);
  return JSON.stringify(rest);
}
