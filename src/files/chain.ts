import { folderLost } from './disk-errors.js';
import { Records } from './records.js';

/** A state of a chain: what its record of the highest number says. */
interface Head<State> extends ChainRecord<State> {
  readonly number: number;
}

interface ChainRecord<State> {
  readonly state: State;
  /** Of each writer, the last of its changes that is in this state. */
  readonly applied: Readonly<Record<string, number>>;
}

/** What a change makes of a state. */
export interface Change<State, Answer> {
  /** The next state; `undefined` leaves it as it is. */
  readonly next: State | undefined;
  readonly answer: Answer;
  /** Whether the answer may be given only once the state would survive a power loss. */
  readonly mustLast: boolean;
}

export interface ChainOptions<State> {
  readonly folder: string;
  /** A folder on the same file system, for records that are not linked yet. */
  readonly drafts: string;
  readonly empty: State;
  /** Whether `mustLast` is heeded. */
  readonly isDurable: boolean;
  /** Throws if what was read is no state. */
  readonly check: (state: unknown) => State;
  /** The name under which this process changes the chain now. No two processes ever have the same. */
  readonly writer: () => string;
  /** Whether the writer of this name will never write again. */
  readonly isGone: (writer: string) => boolean;
}

interface Waiting<State> {
  readonly apply: (state: State) => Change<State, unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A state that several processes change, each change whole or not at all, with no lock that a dead or paused one
 * could hold. It is a folder of numbered records; the highest is the state. A change is added under the next number,
 * which fails if somebody else was first: then it is computed again on what they left.
 */
export class Chain<State> {
  readonly #options: ChainOptions<State>;
  readonly #records: Records;
  readonly #waiting: Waiting<State>[] = [];
  /** The newest record that was seen; others may be newer. */
  #head: Head<State> | undefined;
  #isWriting = false;

  constructor(options: ChainOptions<State>) {
    this.#options = options;
    this.#records = new Records(options.folder, options.drafts);
  }

  get folder(): string {
    return this.#options.folder;
  }

  /** The newest state that was seen; others may be newer. */
  get state(): State | undefined {
    return this.#head?.state;
  }

  /** Reads the state; `undefined` if there is none yet. */
  async read(): Promise<State | undefined> {
    return (await this.#refresh())?.state;
  }

  /**
   * Changes the state.
   *
   * @param apply - computes the change, without side effects: it is called again if another process was first
   */
  change<Answer>(apply: (state: State) => Change<State, Answer>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ apply, resolve: resolve as (answer: unknown) => void, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  /** Waits until nothing is under way in its folder. */
  idle(): Promise<void> {
    return this.#records.idle();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0);
      try {
        await this.#write(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isWriting = false;
  }

  /** Writes what waited together as one record: with many sessions, one write instead of many. */
  async #write(batch: readonly Waiting<State>[]): Promise<void> {
    for (;;) {
      const head = this.#head ?? (await this.#refresh());
      const state = head?.state ?? this.#options.empty;
      const { next, answers, mustLast } = applyAll(batch, state);
      const isWritten = next === state ? await this.#isNewest(head) : await this.#append(head, next, mustLast);
      if (!isWritten) continue;
      for (const answer of answers) answer();
      return;
    }
  }

  /** An answer that changes nothing counts only if nobody wrote in the meantime. */
  async #isNewest(head: Head<State> | undefined): Promise<boolean> {
    return (await this.#refresh())?.number === head?.number;
  }

  /** @returns false if what it was to be appended to is not the newest state */
  async #append(head: Head<State> | undefined, state: State, mustLast: boolean): Promise<boolean> {
    const { isGone, isDurable } = this.#options;
    const writer = this.#options.writer();
    const number = (head?.number ?? 0) + 1;
    const change = (head?.applied[writer] ?? 0) + 1;
    const others = Object.entries(head?.applied ?? {}).filter(([name]) => !isGone(name));
    const applied = { ...Object.fromEntries(others), [writer]: change };
    const record: ChainRecord<State> = { state, applied };
    if (!(await this.#records.add(number, JSON.stringify(record), writer, mustLast && isDurable))) {
      await this.#refresh();
      return false;
    }
    const numbers = await this.#records.numbers();
    const newest = Math.max(number, ...numbers);
    if (newest > number && !(await this.#isIn(writer, change))) return false;
    if (newest === number) this.#head = { number, ...record };
    // The newest and the one before it stay.
    this.#records.remove(numbers.filter((one) => one < newest - 1));
    return true;
  }

  /**
   * There are records above the one that was added. Either others went on from it; or this process was paused before
   * it added it, the number had been removed as outdated, and what was added is below the newest, where nobody reads it.
   */
  async #isIn(writer: string, change: number): Promise<boolean> {
    const head = await this.#refresh();
    return head !== undefined && (head.applied[writer] ?? 0) >= change;
  }

  async #refresh(): Promise<Head<State> | undefined> {
    for (;;) {
      const numbers = await this.#records.numbers();
      if (numbers.length === 0) {
        if (this.#head !== undefined) throw folderLost(this.folder);
        return undefined;
      }
      const number = Math.max(...numbers);
      if (number === this.#head?.number) return this.#head;
      const text = await this.#records.read(number);
      // Removed since it was listed: there are newer ones.
      if (text === undefined) continue;
      const head = { number, ...this.#parse(text, number) };
      // A read that was slower than a change of this process.
      if (number > (this.#head?.number ?? 0)) this.#head = head;
      return head;
    }
  }

  #parse(text: string, number: number): ChainRecord<State> {
    try {
      const { state, applied } = JSON.parse(text) as { state?: unknown; applied?: unknown };
      if (typeof applied !== 'object' || applied === null) throw new TypeError('it has no list of writers');
      return { state: this.#options.check(state), applied: applied as Record<string, number> };
    } catch (error) {
      const path = this.#records.path(number);
      throw new Error(`${path} is no record of runfence: restore it, or start with another folder.`, { cause: error });
    }
  }
}

/** Each change on what the one before it left. One that throws changes nothing, and only its own answer fails. */
function applyAll<State>(
  batch: readonly Waiting<State>[],
  from: State,
): { readonly next: State; readonly answers: readonly (() => void)[]; readonly mustLast: boolean } {
  let state = from;
  let mustLast = false;
  const answers = batch.map(({ apply, resolve, reject }) => {
    try {
      const { next, answer, mustLast: must } = apply(state);
      if (next !== undefined) {
        state = next;
        mustLast ||= must;
      }
      return () => resolve(answer);
    } catch (error) {
      return () => reject(error);
    }
  });
  return { next: state, answers, mustLast };
}
