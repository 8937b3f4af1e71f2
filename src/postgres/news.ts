import type { StoredRun } from '../backend/index.js';
import { listOf, runOf, type StoredListed, type StoredSnapshot, snapshotOf } from './answers.js';
import type { Calls } from './calls.js';
import { Known, type StoredChanges } from './changes.js';
import { ALL, hintsIn } from './hints.js';
import type { Nodes } from './nodes.js';

/** Between two reads for notices there are at least so many ms: anybody can send one. */
const APART_MS = 5;
/** And so many between two notices that make the nodes read all they have. */
const GAPS_APART_MS = 1_000;

/**
 * Brings the nodes of this process what others have changed. It is told of sessions and versions, and reads the records:
 * one read at a time, for all that was named in the meantime.
 */
export class News {
  readonly known: Known = new Known();
  readonly #calls: Calls;
  readonly #nodes: Nodes;
  readonly #beat: () => string;
  readonly #wanted: Map<string, number> = new Map();
  #listWanted = 0;
  #listKnown = 0;
  #mustLook = false;
  #isReading = false;
  #isStopped = false;
  #readAt = Number.NEGATIVE_INFINITY;
  #gapAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(calls: Calls, nodes: Nodes, beat: () => string) {
    this.#calls = calls;
    this.#nodes = nodes;
    this.#beat = beat;
  }

  start(): void {
    this.#isStopped = false;
  }

  /** A notice, which anybody can have sent. */
  heard(text: string): void {
    if (text === ALL) this.look();
    for (const { what, version } of hintsIn(text)) {
      if (what === 'list') this.wantList(version);
      else this.want(what, version);
    }
  }

  want(session: string, version: number): void {
    if (!this.known.isNews(session, version)) return;
    this.#wanted.set(session, Math.max(version, this.#wanted.get(session) ?? 0));
    this.#readSoon();
  }

  wantList(version: number): void {
    if (version <= this.#listKnown) return;
    this.#listWanted = Math.max(this.#listWanted, version);
    this.#readSoon();
  }

  /** Looks at all sessions of this process. */
  look(): void {
    this.#mustLook = true;
    this.#readSoon();
  }

  changed({ now, list, sessions, orphans = [] }: StoredChanges): void {
    this.known.looked(now);
    for (const { session, version } of sessions) this.want(session, version);
    if (list > 0) this.wantList(list);
    if (orphans.length > 0) this.#tellOrphans(orphans.map(runOf));
  }

  /** Runs of dead processes that this one has ended. */
  async tellOrphans(leaseMs: number): Promise<void> {
    if (this.#nodes.isEmpty) return;
    const runs = await this.#calls.call<Partial<StoredRun>[]>('untold', [this.#beat(), leaseMs]);
    if (runs !== undefined && runs.length > 0) this.#tellOrphans(runs.map(runOf));
  }

  gap(): void {
    this.known.forget();
    this.#listKnown = 0;
    this.#gapAt = performance.now();
    this.#nodes.gap();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wanted.clear();
    this.known.forget();
  }

  #tellOrphans(runs: readonly StoredRun[]): void {
    const generations = runs.map(({ generation }) => generation);
    this.#nodes.orphaned(runs, () => {
      // If it fails, it is told again.
      this.#calls.call('acknowledge', [generations]).catch(() => {});
    });
  }

  #readSoon(): void {
    if (this.#isReading || this.#isStopped || this.#timer !== undefined) return;
    const ms = this.#readAt + APART_MS - performance.now();
    if (ms <= 0) void this.#read();
    else this.#timer = setTimeout(() => void this.#read(), ms).unref();
  }

  async #read(): Promise<void> {
    this.#timer = undefined;
    this.#isReading = true;
    this.#readAt = performance.now();
    try {
      // Nobody here wants to know: what is kept is asked for by the next node.
      if (!this.#nodes.isEmpty) await this.#readAll();
    } catch {
      // The next renewal names them again.
    }
    this.#isReading = false;
    if (this.#wanted.size > 0 || this.#mustLook || this.#listWanted > this.#listKnown) this.#readLater();
  }

  #readLater(): void {
    if (this.#isStopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#read(), APART_MS).unref();
  }

  async #readAll(): Promise<void> {
    if (this.#mustLook) {
      this.#mustLook = false;
      const changes = await this.#calls.call<StoredChanges>('look', [this.#beat(), this.known.since]);
      if (changes !== undefined) this.changed(changes);
    }
    const wanted = new Map([...this.#wanted].slice(0, 500));
    for (const session of wanted.keys()) this.#wanted.delete(session);
    if (wanted.size > 0) await this.#readSessions(wanted);
    if (this.#listWanted > this.#listKnown) await this.#readList();
  }

  /** A notice may have named a version that there is not: it is read once. */
  async #readList(): Promise<void> {
    this.#listWanted = 0;
    const list = await this.#calls.call<{ version: number; stops: StoredListed[] }>('read_list', []);
    if (list === undefined || list.version <= this.#listKnown) return;
    this.#listKnown = list.version;
    this.#nodes.listed(listOf(list));
  }

  async #readSessions(wanted: ReadonlyMap<string, number>): Promise<void> {
    const read = await this.#calls.call<{ records: (StoredSnapshot & { id: string })[]; unknown: number }>(
      'read_news',
      [this.#beat(), [...wanted.keys()]],
    );
    for (const record of read?.records ?? []) {
      this.known.saw(record.id, record.version);
      this.#nodes.changed(snapshotOf(record));
    }
    // This process had something there, and has not any more; or somebody else made the notice up.
    if ((read?.unknown ?? 0) > 0 && performance.now() - this.#gapAt > GAPS_APART_MS) this.gap();
  }
}
