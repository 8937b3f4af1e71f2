import type {
  AnnounceRequest,
  ClaimRequest,
  EndRequest,
  LockRequest,
  StopItem,
  StopRequest,
  StoredReport,
  StoredSelector,
  UnlockRequest,
} from 'runfence/backend';
import { ADMIN, type Principal, type Requester } from '../../../../src/core/principal.js';
import type { Choices } from './choices.js';
import { isLive, type Room, type Run } from './parts.js';
import type { World } from './world.js';

export const NODES = ['A', 'B', 'C'] as const;
export const SESSIONS = ['s', 't', 'u'] as const;
const IDS = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const REASONS = ['user', 'disconnect', 'timeout', 'policy'] as const;
const OWNERS: readonly (Principal | undefined)[] = [
  undefined,
  { userId: 'u1' },
  { userId: 'u2', deviceId: 'd1' },
  { deviceId: 'd1', connId: 'c1' },
];

/** Makes requests of all kinds about a session, most of them about what is there. */
export class Requests {
  readonly #random: Choices;
  readonly #world: World;
  /** Higher for each: no attempt is another one's. */
  #attempts = 0;
  /** What a node has seen of a session, by both. */
  readonly #seen = new Map<string, number>();

  constructor(random: Choices, world: World) {
    this.#random = random;
    this.#world = world;
  }

  /** A node has got an answer. */
  answered(nodeId: string, sessionKey: string, version: number): void {
    this.#seen.set(`${nodeId} ${sessionKey}`, version);
  }

  base(): { sessionKey: string; nodeId: string; seen: number } {
    const sessionKey = this.#random.of<string>('s', 's', 't', 'u');
    return this.about(sessionKey, this.#random.of<string>(...NODES));
  }

  about(sessionKey: string, nodeId: string): { sessionKey: string; nodeId: string; seen: number } {
    const known = this.#seen.get(`${nodeId} ${sessionKey}`) ?? 0;
    const seen = this.#random.chance(0.1) ? this.#earlier() : known;
    return { sessionKey, nodeId, seen };
  }

  claim(): ClaimRequest {
    const random = this.#random;
    const base = this.base();
    const isOwnId = random.chance(0.1);
    const attempt = this.#attempt();
    const runId = isOwnId ? `own${attempt}` : random.of(...IDS);
    const ended = this.#world.runs.find((run) => run.runId === runId && !isLive(run));
    const repeats = ended && random.chance(0.7) ? ended.generation - (random.chance(0.15) ? 1 : 0) : undefined;
    const room = this.#world.room(base.sessionKey);
    return {
      ...base,
      ...{ runId, isOwnId, attempt, repeats },
      kind: random.of('k1', 'k2'),
      owner: random.one(OWNERS),
      tags: random.some(['x', 'y'], 0.5),
      fingerprint: random.chance(0.3) ? 'print' : undefined,
      graceMs: random.of(0, 5_000),
      hasEpilogue: random.chance(0.3),
      mode: random.of('exclusive', 'exclusive', 'exclusive', 'concurrent', 'concurrent', 'probe'),
      whenQuiet: random.chance(0.15),
      replaces: random.chance(0.5) ? this.#items(room, 0.9, 0.3) : [],
      beside: random.chance(0.25) ? random.some(IDS, 0.4) : [],
      since: random.chance(0.5) ? this.#earlier() : undefined,
      listSince: random.chance(0.5) ? this.#earlier() : undefined,
      judged: random.chance(0.3) ? this.#earlier() : 0,
      ...(random.chance(0.3) && { listJudged: this.#earlier() }),
    };
  }

  stop(): StopRequest {
    const random = this.#random;
    const base = this.base();
    const room = this.#world.room(base.sessionKey);
    const intent = random.chance(0.4);
    const selector: StoredSelector = intent ? { runId: random.of(...IDS) } : { sessionKey: base.sessionKey };
    return {
      ...base,
      attempt: this.#attempt(),
      reason: random.of(...REASONS),
      ...this.detail(),
      runs: random.chance(0.8) ? this.#items(room, 0.5, 0.3) : [],
      select: random.chance(0.35) ? this.selector(base.sessionKey) : undefined,
      record: random.chance(0.5) ? { selector, requester: this.requester(), intent } : undefined,
      number: undefined,
      named: [],
    };
  }

  /** A stop that a failover has lost, with what its answer named. */
  lostStop(lost: {
    readonly request: StopRequest;
    readonly number: number;
    readonly named: readonly string[];
  }): StopRequest {
    const named = [...lost.named, ...this.#random.some(IDS, 0.15)];
    const { number } = lost;
    return { ...lost.request, seen: this.#earlier(), number, named: [...new Set(named)] };
  }

  selector(sessionKey: string | undefined): StoredSelector {
    const random = this.#random;
    const run = random.one(this.#world.runs);
    const selector: { -readonly [K in keyof StoredSelector]: StoredSelector[K] } = {};
    if (sessionKey !== undefined && random.chance(0.7)) selector.sessionKey = sessionKey;
    if (random.chance(0.2)) selector.runId = random.of(...IDS);
    if (random.chance(0.2)) selector.kind = random.of('k1', 'k2');
    if (random.chance(0.2)) selector.tag = random.of('x', 'y');
    if (random.chance(0.2)) selector.owner = random.of<Principal>({ userId: 'u1' }, { deviceId: 'd1' });
    if (run !== undefined && random.chance(0.1)) selector.generation = run.generation + random.below(2);
    return selector;
  }

  runId(): string {
    return this.#random.of(...IDS);
  }

  requester(): Requester | undefined {
    return this.#random.of<Requester | undefined>(undefined, ADMIN, { userId: 'u1' }, { deviceId: 'd1' });
  }

  detail(): { detail?: string } {
    return this.#random.chance(0.3) ? { detail: this.#random.of('d1', 'd2') } : {};
  }

  end(): EndRequest {
    const random = this.#random;
    const { run, ...base } = this.#aboutRun();
    const status = random.of('completed', 'failed', 'aborted', 'aborted');
    const reason = random.chance(0.5) ? random.of(...REASONS) : undefined;
    const retain = random.chance(0.6);
    return { ...base, ...this.#reference(run), status, reason, ...this.detail(), report: this.#report(0.4), retain };
  }

  announce(): AnnounceRequest {
    const { run, ...base } = this.#aboutRun();
    return { ...base, ...this.#reference(run), hasEpilogue: this.#random.chance(0.7), report: this.#report(0.3) };
  }

  lock(): LockRequest {
    const random = this.#random;
    const { run, ...base } = this.#aboutRun();
    const room = this.#world.room(base.sessionKey);
    const reservation = random.chance(0.7) ? room.reserved[0] : random.one(room.reserved);
    const attempt = this.#attempt();
    const since = 1_000 + attempt;
    if (random.chance(0.5) && reservation !== undefined) {
      const reserved = random.chance(0.05) ? reservation.token + 1 : reservation.token;
      return { ...base, nodeId: reservation.nodeId, run: undefined, attempt, reserved, since };
    }
    const holding = random.chance(0.25) ? undefined : this.#reference(run);
    return { ...base, run: holding, attempt, reserved: undefined, since };
  }

  unlock(): UnlockRequest {
    const base = this.base();
    const { holder, reserved } = this.#world.room(base.sessionKey);
    const token = holder !== undefined && this.#random.chance(0.8) ? holder.token : this.#random.one(reserved)?.token;
    return { ...base, token: token ?? this.#earlier() };
  }

  attempt(): number {
    return this.#attempt();
  }

  /** A run in its own session, asked about by its own node, mostly. */
  #aboutRun(): { sessionKey: string; nodeId: string; seen: number; run: Run | undefined } {
    const random = this.#random;
    const live = this.#world.runs.filter(isLive);
    const stopping = live.filter((run) => run.status === 'stopping');
    const run = random.one(random.chance(0.1) ? this.#world.runs : random.chance(0.4) ? stopping : live);
    if (run === undefined || random.chance(0.05)) return { ...this.base(), run };
    const nodeId = random.chance(0.1) ? random.of<string>(...NODES) : run.nodeId;
    return { ...this.about(run.sessionKey, nodeId), run };
  }

  #reference(run: Run | undefined): { runId: string; generation: number } {
    const random = this.#random;
    if (run === undefined) return { runId: random.of(...IDS), generation: this.#earlier() };
    return { runId: run.runId, generation: run.generation - (random.chance(0.05) ? 1 : 0) };
  }

  #items({ key, holder }: Room, ofRunning: number, ofOthers: number): StopItem[] {
    const random = this.#random;
    const runs = this.#world.runs.filter((run) => {
      if (run.sessionKey !== key) return random.chance(0.05);
      return random.chance(run.status === 'running' ? ofRunning : ofOthers);
    });
    return runs.map((run) => {
      const isHolder = holder !== undefined && (holder.runId === run.runId || random.chance(0.1));
      const revoke = random.chance(0.6) && isHolder ? holder.token - (random.chance(0.1) ? 1 : 0) : undefined;
      return { ...this.#reference(run), revoke, hasEpilogue: random.chance(0.3) };
    });
  }

  #report(part: number): StoredReport | undefined {
    const random = this.#random;
    if (!random.chance(part)) return undefined;
    const leftovers = random.some(['tool', 'commit'], 0.3);
    return {
      lock: random.of('released', 'none'),
      epilogue: 'none',
      leftovers,
      unknown: random.some(['tool'], 0.3),
      fencedEffects: 0,
      elapsedMs: random.below(3),
      interrupted: random.chance(0.5),
    };
  }

  /** Some number up to the counter's value, a recent one mostly. */
  #earlier(): number {
    const { counter } = this.#world;
    const back = this.#random.below(this.#random.chance(0.2) ? 40 : 8);
    return Math.max(0, counter - back);
  }

  #attempt(): number {
    this.#attempts += 1;
    return this.#attempts;
  }
}
