import type { AbortReason, Run, RunView } from '../index.js';
import type { Account, Budget, Kept } from './budget.js';
import type { EventLog } from './event-log.js';
import type { EndItem } from './items.js';
import { bytesOf } from './measure.js';
import type { Delta, Merging } from './merge.js';

/** Where the stream of a run is. `cut`: no event follows. `over`: nothing follows. */
export type Phase =
  | { readonly kind: 'open' }
  | { readonly kind: 'cut'; readonly reason: AbortReason }
  | { readonly kind: 'over'; readonly cut: AbortReason | undefined; readonly end: EndItem };

/** Whoever follows. */
export interface Watching {
  /** There may be something new. It calls nobody's code. */
  wake(): void;
  /** It is not counted any more; it may read on. */
  leave(): void;
}

type Append<E, Seq> = (event: E, delta: Delta | undefined, bytes: number) => Seq;

const OPEN: Phase = Object.freeze({ kind: 'open' });

/** The stream of one run: what is kept of it, how far it is, and who reads it. */
export class RunRecord<E> implements Kept {
  readonly runId: string;
  readonly sessionKey: string;
  readonly account: Account;
  readonly log: EventLog<E>;
  readonly merging: Merging<E>;
  /** 0 until the run starts. */
  generation: number;
  /** That of the run which this one repeats: it stays until this one starts. */
  earlier: RunRecord<E> | undefined = undefined;
  phase: Phase = OPEN;
  /** The run that publishes here. */
  writer: Run | undefined = undefined;
  readonly readers: Set<Watching> = new Set();
  /** Nobody finds it any more, and what is of it is not counted. */
  isLetGo = false;
  readonly #budget: Budget;
  readonly #onError: (error: unknown) => void;
  readonly #waiting = new Set<Watching>();
  /** Behind the run's own fence: what is refused is counted there. */
  #append: Append<E, number | undefined> | undefined;

  constructor(
    { runId, sessionKey, generation, owner }: RunView,
    parts: {
      readonly budget: Budget;
      readonly log: EventLog<E>;
      readonly merging: Merging<E>;
      readonly onError: (error: unknown) => void;
    },
  ) {
    this.runId = runId;
    this.sessionKey = sessionKey;
    this.generation = generation;
    this.account = parts.budget.open(owner);
    this.log = parts.log;
    this.merging = parts.merging;
    this.#budget = parts.budget;
    this.#onError = parts.onError;
  }

  /** Its run is here, and about to publish. */
  openFor(run: Run): void {
    if (this.writer === run) return;
    this.writer = run;
    this.#append = run.fence<Parameters<Append<E, number>>, number>((event, delta, bytes) => {
      const before = this.log.bytes;
      const seq = this.log.append(event, delta, bytes);
      this.#budget.charge(this, this.log.bytes - before);
      this.#wake();
      return seq;
    });
  }

  /**
   * The host's code is called first, since it may stop the run or publish itself: then the check and the record are one
   * step. `undefined`: refused.
   */
  publish(event: E): number | undefined {
    const append = this.#append as Append<E, number | undefined>;
    // Refused by the fence, and counted: there is nothing to be measured for that.
    if (this.phase.kind !== 'open') return append(event, undefined, 0);
    const delta = this.merging.deltaOf(event);
    if (delta !== undefined && this.log.takes(delta)) return append(event, delta, 0);
    let bytes: number;
    try {
      bytes = bytesOf(event);
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
    return append(event, delta, bytes);
  }

  /** Whoever has a position in an earlier generation is told now, and not with the first event. */
  start(generation: number): void {
    this.generation = generation;
    this.#wake();
  }

  cut(reason: AbortReason): void {
    if (this.phase.kind !== 'open') return;
    this.phase = { kind: 'cut', reason };
    this.#wake();
  }

  end({ generation, status, reason, saved }: RunView): void {
    if (this.phase.kind === 'over') return;
    const how = status === 'completed' || status === 'failed' ? status : 'aborted';
    const cut = this.phase.kind === 'cut' ? this.phase.reason : reason;
    this.phase = {
      kind: 'over',
      cut: how === 'aborted' ? cut : undefined,
      end: Object.freeze({
        type: 'end',
        generation,
        seq: this.log.last,
        status: how,
        reason,
        saved: Object.freeze({ state: 'none', ...saved } as const),
      }),
    };
    this.log.seal();
    this.#wake();
    if (!this.isLetGo) this.#budget.end(this);
  }

  get bytes(): number {
    return this.log.bytes;
  }

  wait(reader: Watching): void {
    this.#waiting.add(reader);
  }

  unwait(reader: Watching): void {
    this.#waiting.delete(reader);
  }

  #wake(): void {
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reader of waiting) reader.wake();
  }

  dropOldest(): number {
    const before = this.log.bytes;
    this.log.dropOldest();
    return before - this.log.bytes;
  }

  dropAll(): number {
    const { bytes } = this.log;
    this.log.clear();
    return bytes;
  }

  /** The content is deleted, and the numbers stay. */
  erase(): void {
    this.#budget.erase(this);
  }

  /**
   * Nobody finds it any more. Those who read may finish, at their own cost: what is kept is not counted any more, and
   * neither are they.
   */
  letGo(view: RunView): void {
    this.end(view);
    this.isLetGo = true;
    this.writer = undefined;
    this.#budget.close(this, this.readers.size > 0);
    for (const reader of [...this.readers]) reader.leave();
  }
}
