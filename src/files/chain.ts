import { folderLost } from './disk-errors.js';
import { type Durability, Records, TRUSTED_MS } from './records.js';

/** For how long one process may add records without a break, and how long the break is, in ms. */
const TURN_MS = 20;
const BREAK_MS = 4;

/** A state of a chain: what its record of the highest number says. */
interface Head<State> extends ChainRecord<State> {
  readonly number: number;
}

interface ChainRecord<State> {
  readonly state: State;
  /** Of each writer, the last of its changes that is in this state. */
  readonly applied: Readonly<Record<string, number>>;
}

/** The newest record that was seen, and when, by the monotonic clock, there was surely none newer. */
interface Known<State> {
  readonly head: Head<State> | undefined;
  readonly at: number;
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
  readonly writer: () => Promise<string>;
  /** Whether the writer of this name is declared dead. */
  readonly isGone: (writer: string) => boolean;
  /** Called when others went on as if this process were not there: it may have been declared dead. */
  readonly onOvertaken: () => Promise<void>;
}

interface Waiting<State> {
  readonly apply: (state: State, writer: string) => Change<State, unknown>;
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
  #known: Known<State> = { head: undefined, at: Number.NEGATIVE_INFINITY };
  #isWriting = false;
  #lastRead: Promise<unknown> = Promise.resolve();
  #nextRead: Promise<Known<State>> | undefined;
  /** When this process added its last record, and since when it has without a break. */
  #addedAt = Number.NEGATIVE_INFINITY;
  #turnSince = Number.NEGATIVE_INFINITY;

  constructor(options: ChainOptions<State>) {
    this.#options = options;
    this.#records = new Records(options.folder, options.drafts);
  }

  get folder(): string {
    return this.#options.folder;
  }

  /** The newest state that was seen; others may be newer. */
  get state(): State | undefined {
    return this.#known.head?.state;
  }

  /** Whether there is a record of this number, or was. */
  hasSeen(number: number): boolean {
    return number <= (this.#known.head?.number ?? 0);
  }

  /** Reads the state; `undefined` if there is none yet. */
  async read(): Promise<State | undefined> {
    // Those who ask while another one's read is under way share the next.
    this.#nextRead ??= this.#lastRead.then(() => {
      this.#nextRead = undefined;
      const read = this.#refresh();
      this.#lastRead = read.catch(() => {});
      return read;
    });
    return (await this.#nextRead).head?.state;
  }

  /**
   * Changes the state.
   *
   * @param apply - computes the change, without side effects: it is called again if another process was first
   */
  change<Answer>(apply: (state: State, writer: string) => Change<State, Answer>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ apply, resolve: resolve as (answer: unknown) => void, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  /** Waits until nothing is under way in its folder. */
  close(): Promise<void> {
    return this.#records.close();
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
    await this.#giveWay();
    const askedAt = performance.now();
    for (;;) {
      const writer = await this.#options.writer();
      const known = performance.now() - this.#known.at < TRUSTED_MS / 2 ? this.#known : await this.#refresh();
      const state = known.head?.state ?? this.#options.empty;
      const { next, answers, mustLast } = applyAll(batch, state, writer);
      const isDone =
        next === state ? await this.#isNewestSince(askedAt, known) : await this.#append(known, next, writer, mustLast);
      if (!isDone) continue;
      for (const answer of answers) answer();
      return;
    }
  }

  /**
   * Whoever changes the chain without a break is always first, because it knows the newest record: others have to read
   * it, and come too late. So nobody goes on for longer than a turn.
   */
  async #giveWay(): Promise<void> {
    const now = performance.now();
    if (now - this.#addedAt > BREAK_MS) this.#turnSince = now;
    else if (now - this.#turnSince > TURN_MS) {
      await new Promise((resolve) => setTimeout(resolve, BREAK_MS));
      this.#turnSince = performance.now();
    }
  }

  /** An answer that changes nothing is one about the state after it was asked for. */
  async #isNewestSince(askedAt: number, known: Known<State>): Promise<boolean> {
    return known.at >= askedAt || (await this.#refresh()).head?.number === known.head?.number;
  }

  /** @returns false if what it was to be appended to is not the newest state */
  async #append({ head, at }: Known<State>, state: State, writer: string, mustLast: boolean): Promise<boolean> {
    const { isGone, isDurable } = this.#options;
    const number = (head?.number ?? 0) + 1;
    const change = (head?.applied[writer] ?? 0) + 1;
    const others = Object.entries(head?.applied ?? {}).filter(([name]) => !isGone(name));
    const record: ChainRecord<State> = { state, applied: { ...Object.fromEntries(others), [writer]: change } };
    const durability: Durability = { text: isDurable, entry: isDurable && mustLast };
    const startedAt = performance.now();
    const isAdded = await this.#records.add(number, JSON.stringify(record), writer, durability);
    if (isAdded) this.#addedAt = performance.now();
    if (isAdded && performance.now() - at < TRUSTED_MS) {
      // Its number was never taken: what it was appended to had been the newest so short a time ago.
      this.#know({ number, ...record }, startedAt);
      this.#records.outdate([number - 2]);
      return true;
    }
    const newest = (await this.#refresh()).head;
    const applied = newest?.applied[writer] ?? 0;
    if (isAdded && applied >= change) return true;
    // This process was paused before it added the record, and the number had been removed as outdated: the record is
    // below the newest, where nobody reads it.
    if (isAdded) this.#records.outdate([number]);
    // Only of the dead is it forgotten what they have applied.
    if (isAdded || applied < change - 1) await this.#options.onOvertaken();
    return false;
  }

  async #refresh(): Promise<Known<State>> {
    for (;;) {
      const before = this.#known.head?.number ?? 0;
      const startedAt = performance.now();
      const numbers = await this.#records.numbers();
      const number = numbers.length === 0 ? 0 : Math.max(...numbers);
      if (number < before) throw folderLost(this.folder);
      // Slower than a change of this process, which knows more.
      if (number < (this.#known.head?.number ?? 0)) return this.#known;
      if (number === 0) return { head: undefined, at: startedAt };
      const head = number === this.#known.head?.number ? this.#known.head : await this.#read(number);
      // Removed since it was listed: there are newer ones.
      if (head === undefined) continue;
      // The newest and the one before it stay.
      this.#records.outdate(numbers.filter((one) => one < number - 1));
      return this.#know(head, startedAt);
    }
  }

  #know(head: Head<State>, at: number): Known<State> {
    const { number = 0 } = this.#known.head ?? {};
    if (head.number > number || (head.number === number && at > this.#known.at)) this.#known = { head, at };
    return this.#known;
  }

  async #read(number: number): Promise<Head<State> | undefined> {
    const text = await this.#records.read(number);
    if (text === undefined) return undefined;
    try {
      const { state, applied } = JSON.parse(text) as { state?: unknown; applied?: unknown };
      if (typeof applied !== 'object' || applied === null) throw new TypeError('it has no list of writers');
      return { number, state: this.#options.check(state), applied: applied as Record<string, number> };
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
  writer: string,
): { readonly next: State; readonly answers: readonly (() => void)[]; readonly mustLast: boolean } {
  let state = from;
  let mustLast = false;
  const answers = batch.map(({ apply, resolve, reject }) => {
    try {
      const { next, answer, mustLast: must } = apply(state, writer);
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
