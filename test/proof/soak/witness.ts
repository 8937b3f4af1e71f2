import { isRunfenceError, type Run, type RunControl, type RunView, type Selector } from 'runfence';
import type { Choices } from '../choices.js';

/** A run as its work sees it, and what is known of it from outside. */
export interface Seen {
  readonly run: Run;
  readonly node: string;
  /** The place of its begin among all begins. */
  readonly order: number;
  /** Its end was announced: nothing of it may start any more. */
  isOver: boolean;
}

/** The errors that the load provokes. */
export class Planned extends Error {}

const EXPECTED: ReadonlySet<string> = new Set([
  'NOT_SAVED',
  'RUN_ABORTED',
  'RUN_ENDED',
  'RUN_ID_CONFLICT',
  'RUN_FAILED',
  'RUN_DISPOSED',
  'LOCK_TIMEOUT',
  'LOCK_LOST',
  'NOT_STOPPED',
  'OWNER_MISSING',
  'SIGNAL_UNREAD',
]);

/** Looks at where effects land, and counts what must not happen. What the library reports is not asked. */
export class Witness {
  readonly #live = new Set<Seen>();
  readonly #byId = new Map<string, Seen>();
  readonly #ended = new Set<string>();
  readonly stops: Record<string, number> = {};
  readonly unexpected: string[] = [];
  /** A backend of the load fails now and then. */
  isFaulty = false;
  operations = 0;
  starts = 0;
  effects = 0;
  lateEffects = 0;
  /** Runs that an abort or a takeover should have cut, and that were not when the call was over. */
  missedCuts = 0;
  /** Runs whose end was announced more than once. */
  endedTwice = 0;
  #open = 0;

  /** Promises that were handed out and have not settled. */
  get unsettled(): number {
    return this.#open;
  }

  get live(): number {
    return this.#live.size;
  }

  hear(control: RunControl): void {
    control.on('run:aborted', ({ run, reason }) => {
      this.stops[reason] = (this.stops[reason] ?? 0) + 1;
      this.#over(run);
    });
    control.on('run:ended', ({ run }) => {
      this.#over(run);
      // An id may come again once it is forgotten, a generation not.
      const key = keyOf(run.runId, run.generation);
      if (run.generation > 0 && this.#ended.has(key)) this.endedTwice += 1;
      this.#ended.add(key);
      // Remembered for longer than a run lives, and not for ever.
      if (this.#ended.size > 2_000) this.#ended.delete(this.#ended.values().next().value as string);
    });
  }

  /** The work is called. If it took over, whatever began before it in its session must be over. */
  begins(run: Run, node: string, order: number, tookOver: boolean): Seen {
    this.starts += 1;
    const seen: Seen = { run, node, order, isOver: this.#ended.has(keyOf(run.id, run.generation)) };
    if (seen.isOver) this.lateEffects += 1;
    for (const other of this.#live) {
      const isRival = other.node === node && other.run.sessionKey === run.sessionKey;
      if (tookOver && isRival && other.order < order) this.#expectOver(other);
    }
    if (seen.isOver) return seen;
    this.#live.add(seen);
    this.#byId.set(run.id, seen);
    return seen;
  }

  /** Something of the run takes effect now. */
  effect(seen: Seen): void {
    this.effects += 1;
    if (seen.isOver) this.lateEffects += 1;
  }

  /** The host has just called `abort` on this node: whatever matches is over. */
  expectCut(node: string, selector: Selector): void {
    for (const seen of this.#live) {
      if (seen.node === node && selects(selector, seen.run)) this.#expectOver(seen);
    }
  }

  /** One that has its own result is over, although the record is still to say that it stands. */
  #expectOver(seen: Seen): void {
    if (seen.run.isCurrent()) this.missedCuts += 1;
    else seen.isOver = true;
  }

  /** Any live run of the node, to be aimed at. */
  anyLive(random: Choices, node: string): Seen | undefined {
    const live = [...this.#live].filter((seen) => seen.node === node);
    return live[random.between(0, live.length)];
  }

  /** Hears a promise to its end. It must settle, and may reject only as planned. */
  async track<T>(name: string, promise: Promise<T>): Promise<T | undefined> {
    this.#open += 1;
    try {
      return await promise;
    } catch (error) {
      this.error(name, error);
      return undefined;
    } finally {
      this.#open -= 1;
    }
  }

  error(name: string, error: unknown): void {
    if (error instanceof Planned || (isRunfenceError(error) && EXPECTED.has(error.code))) return;
    if (this.isFaulty && isRunfenceError(error) && error.code === 'BACKEND_UNAVAILABLE') return;
    const message = `${name}: ${String(error)}`;
    // The first of each kind says what is wrong; a million of them would be a leak of the soak's own.
    if (this.unexpected.length < 20 && !this.unexpected.includes(message)) this.unexpected.push(message);
  }

  /** By its generation: the same id may wait on the other node, and is refused there. */
  #over({ runId, generation }: RunView): void {
    const seen = this.#byId.get(runId);
    if (seen?.run.generation === generation) this.#end(seen);
  }

  #end(seen: Seen): void {
    seen.isOver = true;
    this.#live.delete(seen);
    this.#byId.delete(seen.run.id);
  }
}

function keyOf(runId: string, generation: number): string {
  return `${runId}/${generation}`;
}

function selects({ runId, sessionKey, kind, owner, tag, generation }: Selector, run: Run): boolean {
  return (
    (runId === undefined || runId === run.id) &&
    (sessionKey === undefined || sessionKey === run.sessionKey) &&
    (kind === undefined || kind === run.kind) &&
    (owner === undefined || (run.owner !== undefined && owner.userId === run.owner.userId)) &&
    (tag === undefined || run.tags.includes(tag)) &&
    (generation === undefined || generation === run.generation)
  );
}
