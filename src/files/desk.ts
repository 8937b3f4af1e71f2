import {
  type LockHolder,
  type Memory,
  memory,
  type RunState,
  type SessionState,
  type StopList,
  type StoredRun,
} from '../backend/index.js';
import type { Identity } from './identity.js';
import { asJson, fromJson } from './json.js';
import { isLive, MOST_ORPHANS, markOf, namedIn, nodesBySession, type Orphan, type Shard } from './shard.js';

/** Which heartbeats will never beat again. */
export interface Deaths {
  isDead(beat: string): boolean;
  /** Its process is proven dead. */
  isKilled(beat: string): boolean;
  /** Dead for so long that nobody needs what is kept of it. */
  isBuried(beat: string): boolean;
}

/** Heartbeats that stood still for their lease, as `markOf` names them. */
export type Judged = ReadonlySet<string>;

export const NOBODY: ReadonlySet<string> = new Set();

/** A node that works on a shard, and the heartbeat of its process. */
export interface Worker {
  readonly nodeId: string | undefined;
  readonly beat: string;
  readonly judged: Judged;
}

/**
 * A shard, to work on. The logic of a record is that of `memory`: here is what it knows of leases. A node's lease has
 * ended if its heartbeat is over, or if whoever works found that it stands still.
 */
export class Desk {
  readonly backend: Memory;
  readonly #before: Shard;
  readonly #deaths: Deaths;
  readonly #identity: Identity | undefined;
  readonly #nodes: Map<string, string> = new Map();
  readonly #woken: Map<string, number> = new Map();
  #orphans: readonly Orphan[];
  #judged: Judged = NOBODY;
  #beat: string | undefined;

  constructor(shard: Shard, list: StopList, deaths: Deaths, identity: Identity | undefined) {
    this.#before = shard;
    this.#deaths = deaths;
    this.#identity = identity;
    this.#orphans = shard.orphans;
    this.backend = memory({ state: fromJson(shard.memory, list), lapsed: (nodeId) => this.#hasLapsed(nodeId) });
    if (Object.values(shard.beats).some((beat) => deaths.isBuried(beat))) this.#forget();
  }

  work<Answer>({ nodeId, beat, judged }: Worker, act: (backend: Memory) => Answer): Answer {
    if (nodeId !== undefined) this.#nodes.set(nodeId, beat);
    this.#beat = beat;
    this.#judged = judged;
    return act(this.backend);
  }

  /** A process goes on after its lease had ended: what others judged before is void, and what they did is seen. */
  wake(beat: string): void {
    this.#beat = beat;
    this.#woken.set(beat, (this.#before.woken[beat] ?? 0) + 1);
  }

  /** Buries what lapsed nodes have, in one session or in all, without a contender. */
  bury(worker: Worker, only?: string): void {
    this.work(worker, (backend) => {
      for (const [sessionKey, nodes] of nodesBySession(this.#before)) {
        if (only !== undefined && only !== sessionKey) continue;
        for (const nodeId of nodes) if (this.#hasLapsed(nodeId)) backend.bury(sessionKey, nodeId);
      }
    });
  }

  /** Somebody has taken note of them. */
  acknowledge(generations: ReadonlySet<number>): void {
    this.#orphans = this.#orphans.filter(({ run }) => !generations.has(run.generation));
  }

  /** Of orphans whose teller is dead itself, this process tells. */
  adopt(beat: string): void {
    this.#orphans = this.#orphans.map((orphan) => (this.#deaths.isDead(orphan.by) ? { ...orphan, by: beat } : orphan));
  }

  close(): Shard {
    const state = this.backend.state();
    const sessions = asJson({ ...state, sessions: state.sessions.map((session) => this.#named(session, state.runs)) });
    const named = namedIn(sessions);
    const beats = { ...this.#before.beats, ...Object.fromEntries(this.#nodes) };
    const kept = Object.entries(beats).filter(([nodeId]) => named.has(nodeId));
    const alive = new Set(kept.map(([, beat]) => beat));
    const woken = Object.entries({ ...this.#before.woken, ...Object.fromEntries(this.#woken) });
    return {
      memory: sessions,
      beats: Object.fromEntries(kept),
      woken: Object.fromEntries(woken.filter(([beat]) => alive.has(beat))),
      orphans: [...this.#orphans, ...this.#orphaned(state.runs)].slice(-MOST_ORPHANS),
    };
  }

  #hasLapsed(nodeId: string): boolean {
    const beat = this.#nodes.get(nodeId) ?? this.#before.beats[nodeId];
    if (beat === undefined) return false;
    return this.#deaths.isDead(beat) || this.#judged.has(markOf(this.#before, beat));
  }

  /** Forgets what was kept of nodes that are dead for long. */
  #forget(): void {
    const { runs, sessions } = this.#before.memory;
    const isBuried = (nodeId: string): boolean => this.#deaths.isBuried(this.#before.beats[nodeId] ?? '');
    for (const { sessionKey, runId, generation, nodeId, status } of runs) {
      if (!isLive(status) && isBuried(nodeId)) this.backend.forget({ sessionKey, runId, generation });
    }
    for (const { sessionKey, stops } of sessions) {
      for (const { stop } of stops) if (isBuried(stop.nodeId)) this.backend.forget({ sessionKey, stop: stop.number });
    }
  }

  /** Says of a new grant in which process its holder is. */
  #named(session: SessionState, runs: readonly StoredRun[]): SessionState {
    const { holder } = session.lock;
    const isOurs = holder !== undefined && holder.pid === undefined && this.#nodes.has(holder.nodeId);
    if (!isOurs || this.#identity === undefined) return session;
    const { pid, host } = this.#identity;
    const kind = runs.find(({ runId }) => runId === holder.runId)?.kind;
    const named: LockHolder = { ...holder, pid, host, ...(kind !== undefined && { why: kind }) };
    return { ...session, lock: { ...session.lock, holder: named } };
  }

  /** Runs that were live on a node whose process was killed, and are not any more. */
  #orphaned(runs: readonly RunState[]): readonly Orphan[] {
    const { beats, memory: before } = this.#before;
    const by = this.#beat;
    if (by === undefined || !Object.values(beats).some((beat) => this.#deaths.isKilled(beat))) return [];
    const left = before.runs.filter(
      ({ nodeId, status }) => isLive(status) && this.#deaths.isKilled(beats[nodeId] ?? ''),
    );
    return left.flatMap(({ generation }) => {
      const run = runs.find((one) => one.generation === generation);
      return run === undefined || isLive(run.status) ? [] : [{ run: stored(run), by }];
    });
  }
}

function stored({ attempt: _attempt, stoppedBy: _by, grantAtStop: _grant, ...run }: RunState): StoredRun {
  return run;
}
