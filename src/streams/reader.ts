import type { StreamItem } from './items.js';
import type { Place } from './options.js';
import type { RunRecord, Watching } from './record.js';

type Result<E> = IteratorResult<StreamItem<E>, undefined>;

/**
 * One subscriber, at a pace of its own. Not a generator: that one keeps a `return()` waiting behind a `next()` which
 * waits for an event.
 */
export class Reader<E> implements AsyncIterableIterator<StreamItem<E>, undefined>, Watching {
  /** `undefined` once it is over. */
  #record: RunRecord<E> | undefined;
  /** The generation that its position belongs to; `undefined` where none was given, or it is the record's. */
  #generation: number | undefined;
  #seq: number;
  #toldCut = false;
  #pending: ((result: Result<E>) => void)[] = [];
  readonly #left: () => void;
  readonly #closed: () => void;
  #isCounted: boolean;

  /**
   * @param record - none for one that is over before it begins
   * @param left - called once, when it is not counted any more
   * @param closed - called once, when it is over
   */
  constructor(record: RunRecord<E> | undefined, place: Place, left: () => void, closed: () => void) {
    this.#record = record;
    this.#generation = place.generation;
    // One that is ahead would wait for ever for what comes in between.
    this.#seq = Math.min(place.seq, record?.log.last ?? 0);
    this.#left = left;
    this.#closed = closed;
    this.#isCounted = record?.isLetGo === false;
    record?.readers.add(this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result<E>> {
    if (this.#pending.length === 0) {
      const item = this.#take();
      if (item !== undefined) return Promise.resolve({ done: false, value: item });
    }
    const record = this.#record;
    if (record === undefined) return Promise.resolve(done());
    record.wait(this);
    return new Promise((resolve) => this.#pending.push(resolve));
  }

  return(): Promise<Result<E>> {
    this.close();
    return Promise.resolve(done());
  }

  throw(error: unknown): Promise<Result<E>> {
    this.close();
    return Promise.reject(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  wake(): void {
    while (this.#pending.length > 0) {
      const item = this.#item();
      if (item === undefined) {
        this.#record?.wait(this);
        return;
      }
      // Before it is closed: that ends whoever still waits.
      this.#pending.shift()?.({ done: false, value: item });
      if (item.type === 'end') this.close();
    }
  }

  close(): void {
    const record = this.#record;
    if (record === undefined) return;
    this.#record = undefined;
    record.unwait(this);
    record.readers.delete(this);
    const pending = this.#pending;
    this.#pending = [];
    for (const resolve of pending) resolve(done());
    this.#closed();
    this.leave();
  }

  leave(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#left();
  }

  #take(): StreamItem<E> | undefined {
    const item = this.#item();
    // The host's code has closed it while it made the event.
    if (this.#record === undefined) return undefined;
    if (item?.type === 'end') this.close();
    return item;
  }

  /** `undefined`: there is nothing yet, or it is over. */
  #item(): StreamItem<E> | undefined {
    return this.#record === undefined ? undefined : this.#itemOf(this.#record);
  }

  #itemOf(record: RunRecord<E>): StreamItem<E> | undefined {
    const { generation, phase } = record;
    if (this.#generation !== undefined && generation > 0) {
      const isOther = this.#generation !== generation;
      this.#generation = undefined;
      if (isOther) {
        this.#seq = 0;
        return { type: 'restart', generation };
      }
    }
    const span = record.log.spanBehind(this.#seq);
    if (span !== undefined) {
      const { from, to } = span;
      // First: making the event is calling the host's code, which may read on.
      this.#seq = to;
      const made = span.entry === undefined ? undefined : record.log.eventOf(span, record.merging);
      if (made === undefined) return { type: 'gap', generation, from, to };
      return { type: 'event', generation, seq: to, from, event: made.event };
    }
    if (phase.kind === 'open') return undefined;
    const reason = phase.kind === 'cut' ? phase.reason : phase.cut;
    if (!this.#toldCut && reason !== undefined) {
      this.#toldCut = true;
      return { type: 'cut', reason };
    }
    return phase.kind === 'over' ? phase.end : undefined;
  }
}

function done<E>(): Result<E> {
  return { done: true, value: undefined };
}
