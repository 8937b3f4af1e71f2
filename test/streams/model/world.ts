import { type AbortReason, createRunControl, type Run, type RunControl, type RunView } from 'runfence';
import { createRunStreams, type RunStreams, type RunStreamsOptions, type StreamItem } from 'runfence/streams';
import { FakeClock } from 'runfence/testing';
import { merge, type Part, text, tool } from '../support/deltas.js';
import { type Attempt, attempt, Follower } from './reference.js';

interface Followed {
  readonly follower: Follower;
  readonly iterator: AsyncIterator<StreamItem<Part>>;
  pending: Promise<void> | undefined;
}

const IDS = ['a', 'b', 'c'] as const;
const TTL_MS = 1_000;

/** Runs, their streams, and beside them what a list would say. Each operation is chosen by numbers. */
export class World {
  readonly problems: string[] = [];
  readonly streams: RunStreams<Part>;
  readonly #clock = new FakeClock();
  readonly #control: RunControl;
  readonly #mayGap: boolean;
  readonly #totalBytes: number;
  readonly #runs = new Map<string, Run>();
  /** Those that were repeated among them. */
  readonly #handles: Run[] = [];
  /** The newest of each id. */
  readonly #attempts = new Map<string, Attempt>();
  /** By their generations, which are of one session. */
  readonly #started = new Map<number, Attempt>();
  readonly #followed = new Set<Followed>();
  #stores: (() => void)[] = [];
  #words = 0;

  constructor(limits: RunStreamsOptions<Part>) {
    this.#control = createRunControl({ clock: this.#clock, retention: { ttlMs: TTL_MS } });
    this.streams = createRunStreams(this.#control, { merge, ...limits });
    this.#mayGap = limits.maxBytes !== undefined;
    this.#totalBytes = limits.totalBytes ?? Number.POSITIVE_INFINITY;
    this.#control.on('run:started', ({ run }) => {
      const started = this.#attempts.get(run.runId);
      if (started === undefined) return;
      started.generation = run.generation;
      this.#started.set(run.generation, started);
    });
    this.#control.on('run:aborted', ({ run, reason }) => {
      const cut = this.#of(run);
      if (cut !== undefined) cut.cut = reason;
    });
    this.#control.on('run:saved', ({ run }) => {
      const over = this.#of(run);
      if (over === undefined) return;
      over.end = run.status === 'completed' || run.status === 'failed' ? run.status : 'aborted';
    });
  }

  #of({ runId, generation }: RunView): Attempt | undefined {
    return generation > 0 ? this.#started.get(generation) : this.#attempts.get(runId);
  }

  async begin(id: number, saves: boolean): Promise<void> {
    const runId = IDS[id % IDS.length] as string;
    const save = saves ? { save: () => new Promise<void>((resolve) => this.#stores.push(resolve)) } : {};
    const before = this.#attempts.get(runId);
    const next = attempt();
    // It may start in the call.
    this.#attempts.set(runId, next);
    const options = { sessionKey: 's', runId, whenBusy: 'enqueue', onDuplicate: 'retry-lost', ...save } as const;
    const begun = await this.#control.runs.begin(options);
    if (begun.status === 'started' || begun.status === 'queued') {
      this.#runs.set(runId, begun.run);
      this.#handles.push(begun.run);
    } else if (before === undefined) this.#attempts.delete(runId);
    else this.#attempts.set(runId, before);
  }

  publish(id: number, what: number): void {
    const runId = IDS[id % IDS.length] as string;
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    const { events } = this.#attempts.get(runId) as Attempt;
    const part = what % 5 === 0 ? tool(`t${what}`) : text(`${'x'.repeat(what % 13)}${this.#words++} `);
    const seq = this.streams.publish(run, part);
    const isCurrent = run.isCurrent();
    if (isCurrent !== (seq !== undefined)) this.problems.push(`publish gave ${seq} for a run that is ${run.status}`);
    if (seq === undefined) return;
    events.push(part);
    if (seq !== events.length) this.problems.push(`number ${seq} for event ${events.length}`);
    if (this.streams.usage.bytes > this.#totalBytes + 1_000) this.problems.push('too many bytes');
  }

  async abort(id: number, how: number): Promise<void> {
    const reason: AbortReason = how % 2 === 0 ? 'user' : 'disconnect';
    const runId = IDS[id % IDS.length] as string;
    const run = this.#runs.get(runId);
    await this.#control.abort({ runId }, { reason });
    if (how % 3 > 0) run?.fail(new Error('unwound'));
  }

  end(id: number, how: number): void {
    const run = this.#runs.get(IDS[id % IDS.length] as string);
    if (how % 2 === 0) run?.complete();
    else run?.fail(new Error('failed'));
  }

  follow(id: number, seq: number, how: number): void {
    const runId = IDS[id % IDS.length] as string;
    const of = this.#attempts.get(runId);
    const generation = how % 3 === 0 ? undefined : (of?.generation ?? 1) - (how % 3 === 1 ? 0 : 1);
    const after = generation === undefined ? seq : { generation: Math.max(0, generation), seq };
    const source = this.streams.subscribe(runId, { after });
    const isKnown = this.#control.runs.get(runId) !== undefined;
    if (isKnown !== (source !== undefined)) this.problems.push(`subscribe to ${runId}, which is known: ${isKnown}`);
    if (source === undefined || of === undefined) return;
    const place = typeof after === 'number' ? { seq: after } : after;
    this.#followed.add({
      follower: new Follower(of, place),
      iterator: source[Symbol.asyncIterator](),
      pending: undefined,
    });
  }

  read(which: number): void {
    const followed = this.#pick(which);
    if (followed === undefined || followed.pending !== undefined) return;
    followed.pending = followed.iterator.next().then(({ done, value }) => {
      followed.pending = undefined;
      if (done === true) {
        if (!followed.follower.isOver) this.problems.push('over before its end');
        this.#followed.delete(followed);
        return;
      }
      // The record of an attempt is dropped when the next one starts.
      const isOld = ![...this.#attempts.values()].includes(followed.follower.attempt);
      const problem = followed.follower.take(value, this.#mayGap || isOld);
      if (problem !== undefined) this.problems.push(`${problem}: ${JSON.stringify(value)}`);
    });
  }

  async leave(which: number): Promise<void> {
    const followed = this.#pick(which);
    if (followed === undefined) return;
    this.#followed.delete(followed);
    const { pending } = followed;
    // What it waits for says that it is over, which is right now.
    followed.follower.isOver = true;
    await followed.iterator.return?.();
    await pending;
  }

  erase(): void {
    this.streams.delete('s');
    for (const one of this.#attempts.values()) one.erased = one.events.length;
  }

  openStores(): void {
    for (const open of this.#stores.splice(0)) open();
  }

  async advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
  }

  /** After each operation: whoever waits has nothing to get, and what is known is what is there. */
  async check(): Promise<void> {
    // Enough for what is resolved to be heard; `flush` would take a hundred times as long.
    for (let turns = 0; turns < 12; turns++) await undefined;
    for (const { follower, pending } of this.#followed) {
      if (pending !== undefined && follower.hasNext) this.problems.push('waits for what is there');
    }
  }

  /** Everything ends, everybody reads to the end, and nothing is left. */
  async finish(): Promise<void> {
    this.openStores();
    await this.#control.abort('all');
    for (const run of this.#handles) run.fail(new Error('over'));
    this.openStores();
    for (let times = 0; times < 5; times++) {
      await this.#clock.advance(4_000);
      this.openStores();
    }
    for (const followed of [...this.#followed]) {
      for (let times = 0; this.#followed.has(followed); times++) {
        if (times > 10_000) {
          this.problems.push(`never ends: ${JSON.stringify(followed.follower.attempt)}`);
          return;
        }
        if (followed.pending === undefined) this.read([...this.#followed].indexOf(followed));
        await undefined;
      }
    }
    await this.#clock.advance(TTL_MS);
    await this.#control.drain();
    const { runs, bytes, subscribers } = this.streams.usage;
    if (runs + bytes + subscribers > 0) this.problems.push(`left: ${JSON.stringify(this.streams.usage)}`);
  }

  #pick(which: number): Followed | undefined {
    const all = [...this.#followed];
    return all[which % all.length];
  }
}
