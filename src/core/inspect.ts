import { invalid } from './internal/errors.js';
import { checkCount, checkObject, keysOf } from './internal/validate.js';
import type { LockView } from './lock/queue-state.js';
import { ManagedRun } from './run/managed-run.js';
import type { RunRegistry } from './run/registry.js';
import type {
  ControlSnapshot,
  InspectOptions,
  LockSnapshot,
  RunSnapshot,
  SessionSnapshot,
  WaitSnapshot,
} from './snapshot.js';
import type { RunStatus } from './stop/states.js';

const OPTIONS: ReadonlySet<string> = keysOf<InspectOptions>({ reveal: true, limit: true });
const DEFAULT_LIMIT = 100;
const RANKS: readonly RunStatus[] = ['stopping', 'queued', 'running'];
const NO_RUN = '-';

/** Looks, and changes nothing. */
export function inspect(runs: RunRegistry, options: InspectOptions = {}): ControlSnapshot {
  const { reveal, limit } = checkObject('inspect options', options, OPTIONS);
  checkCount('limit', limit);
  if (reveal !== undefined && typeof reveal !== 'boolean') throw invalid('reveal must be true or false.');
  return new Inspection(runs, reveal === true, limit ?? DEFAULT_LIMIT).snapshot();
}

class Inspection {
  readonly #runs: RunRegistry;
  readonly #reveal: boolean;
  readonly #limit: number;
  readonly #now: number;
  readonly #monotonic: number;
  readonly #all: readonly ManagedRun[];
  readonly #bySession = new Map<string, Members>();
  readonly #locks: ReadonlyMap<string, LockView>;
  readonly #lockWaits = new Map<string, WaitSnapshot[]>();

  constructor(runs: RunRegistry, reveal: boolean, limit: number) {
    const { clock } = runs.aborts.runtime;
    this.#runs = runs;
    this.#reveal = reveal;
    this.#limit = limit;
    // First: the clock is code of the host, and what it changes is seen.
    this.#now = clock.now();
    this.#monotonic = clock.monotonic();
    const rank = ({ status }: ManagedRun): number => RANKS.indexOf(status);
    this.#all = runs.unquiet().sort((a, b) => rank(a) - rank(b) || a.order - b.order);
    for (const run of this.#all) membersOf(this.#bySession, run.sessionKey)[run.status as keyof Members]?.push(run);
    this.#locks = new Map(runs.locks.views.map((view) => [view.key, view]));
    for (const view of this.#locks.values()) this.#addLockWaits(view);
  }

  snapshot(): ControlSnapshot {
    const { aborts, ledger, locks, sizes } = this.#runs;
    const count = (status: RunStatus): number => this.#all.filter((run) => run.status === status).length;
    const waits = new Map(this.#all.map((run) => [run, this.#waitsOf(run)]));
    // Of a run that waits to be repeated and the one that repeats it, only the latter waits.
    const waitsById = new Map([...waits].sort(([a], [b]) => a.order - b.order).map(([run, of]) => [run.id, of]));
    const shown = this.#all.slice(0, this.#limit);
    const keys = [...new Set([...shown.map(({ sessionKey }) => sessionKey), ...this.#locks.keys()])];
    const shownKeys = keys.slice(0, this.#limit);
    return {
      at: this.#now,
      nodeId: aborts.runtime.nodeId,
      draining: this.#runs.isDraining,
      counts: {
        queued: count('queued'),
        running: count('running'),
        stopping: count('stopping'),
        abandoned: this.#runs.abandoned().length,
        locks: locks.size,
        waitingForLocks: [...this.#locks.values()].reduce((sum, { waiting }) => sum + waiting.length, 0),
        timers: sizes.timers,
      },
      ...optional('backend', ledger.state),
      runs: shown.map((run) => this.#run(run, waits.get(run) ?? [])),
      sessions: shownKeys.map((key) => this.#session(key)),
      cycles: cyclesOf(waitsById).map((cycle) => cycle.map((id) => this.#id(id))),
      omitted: { runs: this.#all.length - shown.length, sessions: keys.length - shownKeys.length },
    };
  }

  #run(run: ManagedRun, waits: readonly WaitSnapshot[]): RunSnapshot {
    const queuedAt = run.candidate?.queuedAt;
    const queuedMs = queuedAt === undefined ? undefined : Math.round(this.#monotonic - queuedAt);
    return {
      runId: this.#id(run.id),
      session: this.#hidden(run.sessionKey),
      kind: run.kind,
      status: run.status,
      ...optional('reason', run.reason),
      generation: run.generation,
      ...optional('ageMs', run.generation === 0 ? queuedMs : this.#now - run.startedAt),
      ...optional('stoppingMs', run.stop === undefined ? undefined : Math.round(this.#monotonic - run.stop.at)),
      ...optional('parentId', run.parentId === undefined ? undefined : this.#id(run.parentId)),
      waitsFor: waits.map(({ session, ...wait }) => ({
        ...wait,
        runs: wait.runs.map((id) => this.#id(id)),
        ...optional('session', session === undefined ? undefined : this.#hidden(session)),
      })),
      unfinished: this.#fewNames(run.leftovers()),
    };
  }

  #session(key: string): SessionSnapshot {
    const { running, stopping, queued } = this.#idsIn(key);
    const lock = this.#locks.get(key);
    return {
      session: this.#hidden(key),
      running,
      stopping,
      queued,
      ...optional('lock', lock === undefined ? undefined : this.#lock(lock)),
    };
  }

  #idsIn(key: string): { running: string[]; stopping: string[]; queued: string[] } {
    const { activeRunIds, stoppingRunIds, queuedRunIds } = this.#runs.session(key);
    const few = (ids: readonly string[]): string[] => this.#few(ids).map((id) => this.#id(id));
    return { running: few(activeRunIds), stopping: few(stoppingRunIds), queued: few(queuedRunIds) };
  }

  #lock({ state, holder, waiting, epilogues }: LockView): LockSnapshot {
    return {
      state,
      ...optional('runId', holder?.runId === undefined ? undefined : this.#id(holder.runId)),
      ...optional('nodeId', holder?.nodeId),
      ...optional('heldMs', holder === undefined ? undefined : this.#now - holder.since),
      waiting: this.#few(waiting.map((id) => (id === undefined ? NO_RUN : this.#id(id)))),
      epilogues: this.#few(epilogues).map((id) => this.#id(id)),
    };
  }

  #addLockWaits({ key, holder, waiting, epilogues }: LockView): void {
    waiting.forEach((id, at) => {
      if (id === undefined) return;
      const before = new Set([holder?.runId, ...epilogues, waiting[at - 1]]);
      before.delete(undefined);
      const waits = this.#lockWaits.get(id) ?? [];
      waits.push({ for: 'lock', runs: this.#few(before as Set<string>), session: key });
      this.#lockWaits.set(id, waits);
    });
  }

  /** With keys and ids as they are. */
  #waitsOf(run: ManagedRun): WaitSnapshot[] {
    const waits = run.status === 'queued' ? this.#turnOf(run) : [];
    waits.push(...(this.#lockWaits.get(run.id) ?? []));
    const children = idsOf([...(run.resources?.children ?? [])].filter((child) => child.isLive));
    if (run.isLive && children.length > 0) waits.push({ for: 'child', runs: this.#few(children) });
    if (run.isSuspended) waits.push({ for: 'lease', runs: [] });
    if (run.stage === 'ending' || run.candidate?.isAsking === true) waits.push({ for: 'backend', runs: [] });
    return waits;
  }

  /** Behind those that run, and of those that wait the one right before it. Its ancestors are not in its way. */
  #turnOf(run: ManagedRun): WaitSnapshot[] {
    const { running, queued, stopping } = membersOf(this.#bySession, run.sessionKey);
    const ancestors = new Set<ManagedRun>();
    for (let at = run.parent; at !== undefined; at = at.parent) ancestors.add(at);
    const before = running.filter((other) => !ancestors.has(other));
    let at = queued.indexOf(run) - 1;
    while (at >= 0 && ancestors.has(queued[at] as ManagedRun)) at -= 1;
    const ahead = queued[at];
    const waits: WaitSnapshot[] = [];
    if (ahead !== undefined) before.push(ahead);
    if (before.length > 0) waits.push({ for: 'turn', runs: this.#few(idsOf(before)) });
    // The run that it repeats has its own id: named here, it would look as if it waited for itself.
    const isRepeating = run.candidate?.isRepeatingTooEarly === true;
    const unwinding = run.spec.startWhen === 'quiet' ? stopping.filter(({ id }) => id !== run.id) : [];
    if (isRepeating || unwinding.length > 0) waits.push({ for: 'quiet', runs: this.#few(idsOf(unwinding)) });
    return waits;
  }

  #fewNames(names: readonly string[]): string[] {
    const left = names.length - this.#limit;
    return left > 0 ? [...names.slice(0, this.#limit), `and ${left} more`] : [...names];
  }

  #few(ids: Iterable<string>): string[] {
    return [...ids].slice(0, this.#limit);
  }

  /** One that the host gave may hold a name; one of ours is random. */
  #id(runId: string): string {
    const entry = this.#runs.aborts.entries.get(runId);
    return entry instanceof ManagedRun && entry.spec.runId === undefined ? runId : this.#hidden(runId);
  }

  #hidden(name: string): string {
    return this.#reveal ? name : hashOf(name);
  }
}

/** The runs of a session, by their status. */
interface Members {
  readonly running: ManagedRun[];
  readonly queued: ManagedRun[];
  readonly stopping: ManagedRun[];
}

function membersOf(sessions: Map<string, Members>, key: string): Members {
  let members = sessions.get(key);
  if (members === undefined) {
    members = { running: [], queued: [], stopping: [] };
    sessions.set(key, members);
  }
  return members;
}

function idsOf(runs: readonly ManagedRun[]): string[] {
  return runs.map(({ id }) => id);
}

/** The same in every process. It hides a name from readers of a log, not from somebody who tries names. */
function hashOf(name: string): string {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let at = 0; at < name.length; at += 1) {
    const unit = name.charCodeAt(at);
    high = Math.imul(high ^ unit, 2_654_435_761);
    low = Math.imul(low ^ unit, 1_597_334_677);
  }
  return `#${((high >>> 0) * 2 ** 21 + (low >>> 11)).toString(36)}`;
}

/** Each circle of runs once, from where it is first come across. A chain may be longer than the stack is deep. */
function cyclesOf(waits: ReadonlyMap<string, readonly WaitSnapshot[]>): string[][] {
  const cycles: string[][] = [];
  const seen = new Set<string>();
  /** The way to here, and for each of its runs what is not looked at yet. */
  const way: string[] = [];
  const left: string[][] = [];
  const onWay = new Set<string>();
  const enter = (id: string): void => {
    seen.add(id);
    onWay.add(id);
    way.push(id);
    left.push((waits.get(id) ?? []).flatMap(({ runs }) => runs));
  };
  for (const start of waits.keys()) {
    if (!seen.has(start)) enter(start);
    while (left.length > 0) {
      const next = left.at(-1)?.pop();
      if (next === undefined) {
        left.pop();
        onWay.delete(way.pop() as string);
      } else if (onWay.has(next)) {
        cycles.push(way.slice(way.indexOf(next)));
      } else if (!seen.has(next)) {
        enter(next);
      }
    }
  }
  return cycles;
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: V };
}
