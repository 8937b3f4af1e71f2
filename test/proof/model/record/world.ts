import type { ListedStop, Snapshot, StoredRun, StoredSelector } from 'runfence/backend';
import { ADMIN, type Principal, type Requester } from '../../../../src/core/principal.js';
import { type Defect, isLive, type Room, type Run, told } from './parts.js';

/** All records at one moment, and what may be asked of them. Simple and slow: arrays, and a look at everything. */
export class World {
  counter = 0;
  /** In the order of their generations, the retained ones among them. */
  runs: Run[] = [];
  rooms: Room[] = [];
  list: ListedStop[] = [];
  listVersion = 0;
  /** The numbers of stops that are kept no more, by their attempts. */
  readonly forgotten = new Map<string, number>();
  /** Nodes whose lease has ended. */
  readonly lapsed = new Set<string>();
  /** Nodes that listen. */
  readonly nodes = new Set<string>();
  readonly defect: Defect | undefined;
  /** The sessions that the operation has changed. */
  moved: string[] = [];
  buried = false;

  constructor(defect: Defect | undefined) {
    this.defect = defect;
  }

  number(): number {
    this.counter += 1;
    return this.counter;
  }

  draw(room: Room): number {
    room.version = this.number();
    if (!this.moved.includes(room.key)) this.moved.push(room.key);
    return room.version;
  }

  room(key: string): Room {
    const known = this.rooms.find((room) => room.key === key);
    if (known !== undefined) return known;
    const room: Room = {
      key,
      version: 0,
      holder: undefined,
      holderAttempt: 0,
      lastGrant: 0,
      reserved: [],
      stops: [],
    };
    this.rooms.push(room);
    return room;
  }

  live(key: string): Run[] {
    return this.runs.filter((run) => run.sessionKey === key && isLive(run));
  }

  find(runId: string): Run | undefined {
    return this.runs.find((run) => run.runId === runId);
  }

  /** By identity. */
  generation(key: string, ref: { readonly runId: string; readonly generation: number }): Run | undefined {
    const run = this.find(ref.runId);
    return run?.generation === ref.generation && run.sessionKey === key ? run : undefined;
  }

  isThere({ key, holder, reserved, stops }: Room): boolean {
    return this.live(key).length > 0 || holder !== undefined || reserved.length > 0 || stops.length > 0;
  }

  version(room: Room): number {
    return this.isThere(room) ? room.version : this.counter;
  }

  /** Whether a node that has seen this version has seen the record. An absent one was at every number since it went. */
  isSeen(room: Room, seen: number): boolean {
    if (this.isThere(room)) return seen === room.version;
    return seen === 0 || (seen >= room.version && seen <= this.counter);
  }

  snapshot(room: Room): Snapshot {
    return {
      sessionKey: room.key,
      version: this.version(room),
      runs: this.stored((run) => run.sessionKey === room.key && isLive(run)),
      holder: room.holder,
      reserved: [...room.reserved],
      stops: room.stops.map(({ stop }) => stop),
    };
  }

  stored(test: (run: Run) => boolean): StoredRun[] {
    return this.runs.filter(test).map(told);
  }

  /** One that asks is alive. */
  isGone(nodeId: string, asking: string): boolean {
    return nodeId !== asking && this.lapsed.has(nodeId);
  }

  bury(key: string, nodeId: string): void {
    const room = this.room(key);
    for (const run of this.live(key)) {
      if (run.nodeId !== nodeId) continue;
      if (run.status === 'running') {
        const { reason = 'heartbeat-lost', detail } = this.#listed(run) ?? {};
        run.reason = reason;
        if (detail !== undefined) run.detail = detail;
      }
      run.status = 'aborted';
    }
    if (room.holder?.nodeId === nodeId) this.free(room);
    room.reserved = room.reserved.filter((reservation) => reservation.nodeId !== nodeId);
    this.draw(room);
    this.buried = true;
  }

  /** Those of these that are gone, each once. */
  buryThoseOf(room: Room, runs: readonly { readonly nodeId: string }[], asking: string): void {
    const gone = new Set(runs.map(({ nodeId }) => nodeId).filter((nodeId) => this.isGone(nodeId, asking)));
    for (const nodeId of gone) this.bury(room.key, nodeId);
  }

  drop(run: Run): void {
    this.runs = this.runs.filter((other) => other !== run);
  }

  free(room: Room): void {
    room.holder = undefined;
    room.holderAttempt = 0;
  }

  /** A session in which nothing is left remembers no grant: the next to ask may be another process. */
  tidy(): void {
    for (const room of this.rooms) if (!this.isThere(room)) room.lastGrant = 0;
  }

  #listed(run: Run): ListedStop | undefined {
    if (this.defect === 'burial-ignores-list') return undefined;
    const since = this.defect === 'burial-by-generation' ? run.generation : run.listSince;
    return this.list.find(
      (stop) =>
        stop.number > since &&
        isAimedAt(stop.selector, run) &&
        (mayStop(stop.requester, run.owner) || this.defect === 'burial-without-authority'),
    );
  }
}

export function isAimedAt(selector: StoredSelector, run: StoredRun): boolean {
  const { runId, sessionKey, kind, owner, tag, generation } = selector;
  if (runId !== undefined && runId !== run.runId) return false;
  if (sessionKey !== undefined && sessionKey !== run.sessionKey) return false;
  if (kind !== undefined && kind !== run.kind) return false;
  if (tag !== undefined && !run.tags.includes(tag)) return false;
  if (generation !== undefined && generation !== run.generation) return false;
  if (owner?.userId !== undefined && owner.userId !== run.owner?.userId) return false;
  if (owner?.deviceId !== undefined && owner.deviceId !== run.owner?.deviceId) return false;
  return owner?.connId === undefined || owner.connId === run.owner?.connId;
}

function mayStop(requester: Requester | undefined, owner: Principal | undefined): boolean {
  if (requester === undefined || requester === ADMIN) return true;
  const ids = ['userId', 'deviceId', 'connId'] as const;
  return ids.some((id) => owner?.[id] !== undefined && owner[id] === (requester as Principal)[id]);
}
