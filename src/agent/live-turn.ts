import type { AbortReason, Principal, Run } from '../index.js';
import type { Turn } from './agent.js';
import type { Message } from './message.js';
import type { Sent } from './results.js';
import type { Unwatched } from './watchers.js';

/** What somebody said at once. */
export interface Words {
  readonly messages: readonly Message[];
  /** The client's id of it: the same one is not taken twice. */
  readonly messageId: string | undefined;
}

/**
 * Where a turn is. `waiting`: what it starts from is not fixed yet, and words may join. `opening`: that is being written.
 * `turning`: the agent is at work. `closing`: the agent has ended, and its answer is being saved. `over`: it takes nothing
 * any more.
 */
export type Stage =
  | { readonly at: 'waiting' | 'opening' }
  | { readonly at: 'turning' | 'closing'; readonly turn: Turn<unknown> }
  | { readonly at: 'over'; readonly turn: Turn<unknown> | undefined };

/** What a turn starts from, once that is fixed. */
export interface Opened {
  readonly incoming: readonly unknown[];
  /** The turns that it replaces. */
  readonly replaces: readonly string[];
  /** What its first attempt has added, if this one is over before it can add anything. */
  readonly answer?: readonly unknown[];
  /** The messages that its first attempt has taken. */
  readonly messageIds?: readonly string[];
}

/** How a turn ended that is saved. */
export interface End {
  readonly how: 'whole' | 'cut' | 'failed';
  readonly reason: AbortReason | undefined;
}

/** What a send asked for. */
export interface TurnOptions {
  readonly runId: string;
  readonly sessionKey: string;
  readonly owner: Principal | undefined;
  readonly kind: string | undefined;
  readonly words: Words;
  readonly replace: string | undefined;
  /** Queued, it takes what is said next. */
  readonly collects: boolean;
  /** The history that the client brought: then nothing of the turn is kept. */
  readonly brought: readonly Message[] | undefined;
  /** Absent: as the runner's own option. */
  readonly whenUnwatched?: Unwatched | undefined;
}

/** A turn from its send until what was said in it is saved. */
export class LiveTurn {
  readonly options: TurnOptions;
  readonly runId: string;
  readonly sessionKey: string;
  /** Its place in the session: by the order of the sends, and behind what other processes have written when it opens. */
  order = 0;
  stage: Stage = { at: 'waiting' };
  run: Run | undefined = undefined;
  /** As the control has it. */
  kind: string;
  opened: Opened | undefined = undefined;
  /** What it started from, and what has joined since, in order. */
  readonly words: Words[];
  /** Messages that came while it was opening: the agent gets them as soon as it is at work. */
  readonly late: Words[] = [];
  /** What the agent has taken while it was at work, in its own form. */
  readonly steered: unknown[] = [];
  /** The number of the newest event. */
  seq = 0;
  /** A tool of effect `unsafe` may have been started. */
  isUnsafe = false;
  /** How it ended, if not by itself. */
  end: End | undefined = undefined;
  /** `pending`: it is still to be saved. `none`: nothing of it is to be kept. */
  saved: 'pending' | 'none' | 'whole' | 'cut' | 'failed' = 'pending';
  /** Saves what a run has left that never called its work; it never rejects. */
  keeping: Promise<void> | undefined = undefined;
  /** How its run ends. */
  ending: Sent['outcome'] | undefined = undefined;
  #whenCut: Set<() => void> | undefined = undefined;

  constructor(options: TurnOptions) {
    this.options = options;
    this.runId = options.runId;
    this.sessionKey = options.sessionKey;
    this.kind = options.kind ?? 'chat';
    this.words = options.words.messages.length === 0 ? [] : [options.words];
    if (options.brought !== undefined) this.saved = 'none';
  }

  get isStored(): boolean {
    return this.options.brought === undefined;
  }

  get turn(): Turn<unknown> | undefined {
    return 'turn' in this.stage ? this.stage.turn : undefined;
  }

  get messageIds(): string[] {
    const ids = [...this.words, ...this.late].flatMap(({ messageId }) => messageId ?? []);
    return [...new Set([...(this.opened?.messageIds ?? []), ...ids, ...this.#steeredIds])];
  }

  readonly #steeredIds: string[] = [];

  /** The agent has taken these. */
  tookWords({ messageId }: Words, messages: readonly unknown[]): void {
    this.steered.push(...messages);
    if (messageId !== undefined) this.#steeredIds.push(messageId);
  }

  /** It is over, and nothing of it was saved by its own end. */
  get isOwed(): boolean {
    return this.end !== undefined && this.saved === 'pending';
  }

  /** Its run is cut. In the tick of the cut, and once. */
  cut(reason: AbortReason, kind: string): void {
    this.kind = kind;
    this.end = { how: 'cut', reason };
    const listeners = this.#whenCut;
    this.#whenCut = undefined;
    for (const listener of listeners ?? []) listener();
  }

  /**
   * Settles as the promise does, or rejects with the abort error at the cut. It does not read the run's signal: that would
   * say that somebody has told the agent of the stop.
   */
  untilCut<T>(run: Run, promise: PromiseLike<T> | T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const refuse = (): void => {
        try {
          run.throwIfStale();
        } catch (error) {
          reject(error);
        }
      };
      this.#whenCut ??= new Set();
      this.#whenCut.add(refuse);
      const done = (): void => {
        this.#whenCut?.delete(refuse);
      };
      Promise.resolve(promise).then(resolve, reject).finally(done);
      // Cut before anybody listened.
      refuse();
    });
  }
}
