import { checkApplied } from './check.js';
import { folderLost } from './disk-errors.js';
import { type Durability, Records, TRUSTED_MS } from './records.js';
import type { Turns } from './turns.js';

/** For how long one process may add records without a break, and how long the break is, in ms. */
const TURN_MS = 20;
const BREAK_MS = 4;

/** A state of a chain: what its record of the highest number says. */
interface Head<State> {
  readonly number: number;
  readonly state: State;
  /** The state as JSON, if this process wrote it: compared to see whether anything has changed. */
  readonly text: string | undefined;
  /** Of each writer, the last of its changes that is in this state. */
  readonly applied: Readonly<Record<string, number>>;
}

/** The newest record that was seen, and when, by the monotonic clock, there was surely none newer. */
interface Known<State> {
  readonly head: Head<State> | undefined;
  readonly at: number;
}

/** The outcome of a change. */
export interface Changed<Answer> {
  readonly answer: Answer;
  /** Whether the answer may be given only once the state would survive a power loss. */
  readonly mustLast: boolean;
}

export interface ChainOptions<State, Work> {
  readonly folder: string;
  /** A folder on the same file system, for records that are not linked yet. */
  readonly drafts: string;
  readonly empty: State;
  /** Whether `mustLast` is heeded. */
  readonly isDurable: boolean;
  /** Throws if what was read is no state. */
  readonly check: (state: unknown) => State;
  /** A copy that changes are made on. The state stays as it is. */
  readonly open: (state: State) => Work;
  /** The state after them, as plain data. */
  readonly close: (work: Work) => State;
  /** The id of the store, which every record carries. */
  readonly store: () => string;
  /** Rejects if the folder of the store is not the one that it was. */
  readonly confirmStore: () => Promise<void>;
  /** The name under which this process changes the chain now. No two processes ever have the same. */
  readonly writer: () => Promise<string>;
  /** Whether the writer of this name is declared dead. */
  readonly isGone: (writer: string) => boolean;
  /** Called when others went on as if this process were not there: it may have been declared dead. */
  readonly onOvertaken: () => Promise<void>;
  /** Shared by the chains of a store. */
  readonly turns?: Turns;
}

interface Waiting<Work> {
  readonly act: (work: Work, writer: string) => Changed<unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A state that several processes change, each change whole or not at all, with no lock that a dead or paused one
 * could hold. It is a folder of numbered records; the highest is the state. A change is added under the next number,
 * which fails if somebody else was first: then it is computed again on what they left.
 */
export class Chain<State, Work> {
  readonly #options: ChainOptions<State, Work>;
  readonly #records: Records;
  readonly #waiting: Waiting<Work>[] = [];
  #known: Known<State> = { head: undefined, at: Number.NEGATIVE_INFINITY };
  #isWriting = false;
  #lastRead: Promise<unknown> = Promise.resolve();
  #nextRead: Promise<Known<State>> | undefined;
  /** When this process added its last record, and since when it has without a break. */
  #addedAt = Number.NEGATIVE_INFINITY;
  #turnSince = Number.NEGATIVE_INFINITY;

  constructor(options: ChainOptions<State, Work>) {
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
   * @param act - makes the change, without other side effects: it is called again if another process was first
   */
  change<Answer>(act: (work: Work, writer: string) => Changed<Answer>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.push({ act, resolve: resolve as (answer: unknown) => void, reject });
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
      await this.#giveWay();
      await this.#options.turns?.take();
      const batch = this.#waiting.splice(0);
      try {
        await this.#write(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      } finally {
        this.#options.turns?.give();
      }
    }
    this.#isWriting = false;
  }

  /** Writes what waited together as one record: with many sessions, one write instead of many. */
  async #write(batch: readonly Waiting<Work>[]): Promise<void> {
    const askedAt = performance.now();
    for (;;) {
      const writer = await this.#options.writer();
      const known = performance.now() - this.#known.at < TRUSTED_MS / 2 ? this.#known : await this.#refresh();
      const from = known.head?.state ?? this.#options.empty;
      const { work, answers, mustLast } = this.#apply(batch, from, writer);
      const state = this.#options.close(work);
      const text = JSON.stringify(state);
      const isDone =
        text === (known.head?.text ?? JSON.stringify(from))
          ? await this.#isNewestSince(askedAt, known)
          : await this.#append(known, { state, text }, writer, mustLast);
      if (!isDone) continue;
      for (const answer of answers) answer();
      return;
    }
  }

  /** Each change on what the one before it left. One that throws changes nothing, and only its own answer fails. */
  #apply(
    batch: readonly Waiting<Work>[],
    from: State,
    writer: string,
  ): { readonly work: Work; readonly answers: readonly (() => void)[]; readonly mustLast: boolean } {
    const failed = new Map<Waiting<Work>, () => void>();
    for (;;) {
      const work = this.#options.open(from);
      const answers = [...failed.values()];
      let mustLast = false;
      const thrower = batch.find((waiting) => {
        if (failed.has(waiting)) return false;
        try {
          const { answer, mustLast: must } = waiting.act(work, writer);
          mustLast ||= must;
          answers.push(() => waiting.resolve(answer));
          return false;
        } catch (error) {
          failed.set(waiting, () => waiting.reject(error));
          return true;
        }
      });
      // It may have done half of it: once more, without it.
      if (thrower === undefined) return { work, answers, mustLast };
    }
  }

  /**
   * A process that changes the chain without a break is always first, because it knows the newest record: others have
   * to read it, and come too late. So each goes on for no longer than a turn.
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
  async #append(
    { head, at }: Known<State>,
    next: { readonly state: State; readonly text: string },
    writer: string,
    mustLast: boolean,
  ): Promise<boolean> {
    const { isGone, isDurable, store } = this.#options;
    const number = (head?.number ?? 0) + 1;
    if (!Number.isSafeInteger(number)) throw new Error(`${this.folder} is full: start with another folder.`);
    // Empty for the first time, or emptied: only the store itself can tell.
    if (head === undefined) await this.#options.confirmStore();
    const change = (head?.applied[writer] ?? 0) + 1;
    const others = Object.entries(head?.applied ?? {}).filter(([name]) => !isGone(name));
    const applied: Head<State>['applied'] = { ...Object.fromEntries(others), [writer]: change };
    const record = `{"store":"${store()}","state":${next.text},"applied":${JSON.stringify(applied)}}`;
    const durability: Durability = { text: isDurable, entry: isDurable && mustLast };
    const startedAt = performance.now();
    const isAdded = await this.#records.add(number, record, writer, durability);
    if (isAdded) this.#addedAt = performance.now();
    if (isAdded && performance.now() - at < TRUSTED_MS) {
      // Its number was never taken: what it was appended to had been the newest so short a time ago.
      this.#know({ number, ...next, applied }, startedAt);
      this.#records.outdate([number - 2]);
      return true;
    }
    const newest = (await this.#refresh()).head;
    const known = newest?.applied[writer] ?? 0;
    if (isAdded && known >= change) return true;
    // This process was paused before it added the record, and the number had been removed as outdated: the record is
    // below the newest, where nobody reads it.
    if (isAdded) this.#records.outdate([number]);
    // Only of the dead is it forgotten what they have applied.
    if (isAdded || known < change - 1) await this.#options.onOvertaken();
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
      if (number === 0) {
        return { head: undefined, at: startedAt };
      }
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
    const record = await this.#records.read(number);
    if (record === undefined) return undefined;
    let head: Head<State>;
    let store: unknown;
    try {
      const read = JSON.parse(record) as { store?: unknown; state?: unknown; applied?: unknown };
      store = read.store;
      if (typeof store !== 'string') throw new TypeError('it does not say of which store it is');
      const state = this.#options.check(read.state);
      head = { number, state, text: undefined, applied: checkApplied(read.applied) };
    } catch (error) {
      const path = this.#records.path(number);
      throw new Error(`${path} is no record of runfence: restore it, or start with another folder.`, { cause: error });
    }
    if (store !== this.#options.store()) throw folderLost(this.folder);
    return head;
  }
}
