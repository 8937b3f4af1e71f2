import { type Run, type RunControl, type SessionKey, sessionKeyOf } from '../index.js';
import type { StreamItem } from './items.js';
import {
  checkSubscribe,
  invalid,
  limitsOf,
  type Place,
  type RunStreamsOptions,
  type SubscribeOptions,
} from './options.js';
import { Reader } from './reader.js';
import type { RunRecord } from './record.js';
import { Records } from './records.js';
import { Seats, seatOf } from './seats.js';
import { isAborted, Signals } from './signals.js';
import { type WatchersListener, WatchersListeners } from './watchers.js';

/** What the streams of a control take. */
export interface StreamsUsage {
  /** How many runs have a record. */
  readonly runs: number;
  /** What their events take, in bytes as the limits count them. */
  readonly bytes: number;
  /** How many subscribers there are. */
  readonly subscribers: number;
}

/** The events of runs: published by a run, and followed by any number of subscribers. */
export interface RunStreams<E> {
  /**
   * Records an event of a run, and hands it to those who follow. It is fenced: what comes after the stop or the end of the
   * run is dropped, and counted in its receipt. Check and record are one step, in the tick of the call. It never throws for
   * what an event is.
   *
   * @param run - the run whose event it is; of the control that the streams were made for
   * @param event - JSON data. It is kept by reference: leave it as it is
   * @returns its number, 1 for the first of the run. `undefined`: it was not recorded, because the run is over or waits, or
   *   because the event is no JSON, which `onError` is told
   * @throws `INVALID_OPTIONS` for what is no run of this control
   */
  publish(run: Run, event: E): number | undefined;
  /**
   * Follows a run, from its first event or from a position on until its end: also one that is queued, or that is over, as
   * long as the control knows it by its id. Each iteration is a subscriber at its own pace. It begins with `for await`, and
   * ends with the last item, with `break` or `return()`, or with the signal. A slow one never slows the run; what is not kept
   * any more when it gets there is a `gap`.
   *
   * @param runId - which run
   * @param options - `after`: the last item that is already there; `signal`; `requester`
   * @returns what is followed. `undefined`: no such run is known in this process, or the requester may not `subscribe` to it
   * @throws `INVALID_OPTIONS`; `TOO_MANY_SUBSCRIBERS`, also when the iteration begins
   */
  subscribe(runId: string, options?: SubscribeOptions): AsyncIterable<StreamItem<E>> | undefined;
  /**
   * How many subscribers follow a run now.
   *
   * @param runId - which run
   * @returns 0 also for one that is not known
   */
  watchers(runId: string): number;
  /**
   * Hears how many subscribers a run has, at each change until the run is over: the last one has left when `watchers` is 0.
   * Called in the tick of the change.
   *
   * @param listener - what it throws goes to `onError`, and breaks nothing
   * @returns the remover. Safe to repeat
   * @throws `INVALID_OPTIONS`
   */
  onWatchers(listener: WatchersListener): () => void;
  /**
   * Deletes what the runs of a session have published so far, such as when the user deletes the chat. Who follows them gets
   * a `gap`. It does not stop runs that go on: stop them first.
   *
   * @param sessionKey - which session: its key, or the parts of its key
   * @throws `INVALID_OPTIONS`
   */
  delete(sessionKey: SessionKey): void;
  /** What is there now, for metrics. */
  readonly usage: StreamsUsage;
}

/**
 * Makes the streams of a control's runs. They live in this process, as the runs do, and are forgotten with them: when the
 * control's retention is over. Make them once, beside the control: they hear of its runs for as long as it lives.
 *
 * @param control - whose runs publish
 * @param options - `merge`: how neighbouring events become one; the limits of what is kept. All have defaults
 * @returns the streams. They hold no timer, and nothing but what runs that the control knows have published
 * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { createRunStreams } from 'runfence/streams';
 *
 * const control = createRunControl();
 * const streams = createRunStreams<string>(control);
 * const answer = control.run({ sessionKey: 'chat-1', runId: 'r1' }, async (run) => {
 *   for (const text of ['Otters ', 'hold ', 'hands.']) streams.publish(run, text);
 * });
 * let text = '';
 * for await (const item of streams.subscribe('r1') ?? []) {
 *   if (item.type === 'event') text += item.event;
 *   if (item.type === 'end') console.assert(item.status === 'completed' && item.seq === 3);
 * }
 * console.assert(text === 'Otters hold hands.');
 * await answer;
 * ```
 */
export function createRunStreams<E>(control: RunControl, options: RunStreamsOptions<E> = {}): RunStreams<E> {
  return new Streams(control, options);
}

class Streams<E> implements RunStreams<E> {
  readonly #control: RunControl;
  readonly #records: Records<E>;
  readonly #seats: Seats;
  readonly #signals = new Signals();
  readonly #listeners: WatchersListeners;
  /** The run that has published last: its record is not looked up for each of its tokens. */
  #run: Run | undefined;
  #record: RunRecord<E> | undefined;

  constructor(control: RunControl, options: RunStreamsOptions<E>) {
    if (typeof control?.onError !== 'function') throw invalid('createRunStreams needs the control whose runs publish.');
    const limits = limitsOf(options);
    this.#control = control;
    this.#seats = new Seats(limits.maxSubscribers, limits.subscribersPerPrincipal);
    this.#listeners = new WatchersListeners((error, about) => control.onError(error, about));
    this.#records = new Records(control, limits, options.merge, (record) => {
      if (this.#record !== record) return;
      this.#run = undefined;
      this.#record = undefined;
    });
  }

  publish(run: Run, event: E): number | undefined {
    const last = this.#record;
    const record = last !== undefined && run === this.#run ? last : this.#open(run);
    return record?.publish(event);
  }

  subscribe(runId: string, options: SubscribeOptions = {}): AsyncIterable<StreamItem<E>> | undefined {
    const { place, signal, as } = checkSubscribe(runId, options);
    // Before anything is looked at: what is wrong with a requester says nothing of a run.
    this.#control.runs.get('', as);
    const found = this.#control.runs.get(runId);
    if (found === undefined || !this.#control.may('subscribe', found, as)) return undefined;
    // Whoever was asked may have ended the run, or begun another of this id.
    const view = this.#control.runs.get(runId);
    if (view === undefined || view.owner !== found.owner) return undefined;
    const seat = seatOf(as.requester);
    this.#seats.check(seat);
    const record = this.#records.of(view);
    return { [Symbol.asyncIterator]: () => this.#read(record, place, signal, seat) };
  }

  watchers(runId: string): number {
    return this.#records.get(runId)?.readers.size ?? 0;
  }

  onWatchers(listener: WatchersListener): () => void {
    if (typeof listener !== 'function') throw invalid('listener must be a function.');
    return this.#listeners.add(listener);
  }

  delete(sessionKey: SessionKey): void {
    this.#records.erase(sessionKeyOf(sessionKey));
  }

  get usage(): StreamsUsage {
    const { size, budget } = this.#records;
    return { runs: size, bytes: budget.bytes, subscribers: this.#seats.count };
  }

  /** Another run than the last one publishes. */
  #open(run: Run): RunRecord<E> | undefined {
    const known = this.#records.get(run?.id);
    const record = known !== undefined && known.writer === run ? known : this.#first(run);
    if (record === undefined) return undefined;
    this.#run = run;
    this.#record = record;
    return record;
  }

  #first(run: Run): RunRecord<E> | undefined {
    if (typeof run?.fence !== 'function') throw invalid('publish needs a run.');
    // By the run's own fence: a refusal is counted, and one in a time of doubt leaves no hole that nobody knows of.
    if (run.fence(isHere)() !== true) return undefined;
    const view = this.#control.runs.get(run.id);
    if (view?.generation !== run.generation)
      throw invalid('publish needs a run of the control that the streams are of.');
    const record = this.#records.of(view);
    record.openFor(run);
    return record;
  }

  /** @throws `TOO_MANY_SUBSCRIBERS`, `INVALID_OPTIONS`: then nothing of it is left */
  #read(record: RunRecord<E>, place: Place, signal: AbortSignal | undefined, seat: string | undefined): Reader<E> {
    if (isAborted(signal)) return new Reader<E>(undefined, place, nothing, nothing);
    if (!record.isLetGo) this.#seats.take(seat);
    const left = (): void => {
      this.#seats.leave(seat);
      this.#tell(record);
    };
    const reader: Reader<E> = new Reader(record, place, left, () => {
      if (signal !== undefined) this.#signals.leave(signal, reader);
    });
    try {
      if (signal !== undefined) this.#signals.follow(signal, reader);
    } catch (error) {
      reader.close();
      throw error;
    }
    // A signal may be aborted by being listened to.
    if (record.readers.has(reader)) this.#tell(record);
    return reader;
  }

  #tell({ runId, sessionKey, generation, phase, readers }: RunRecord<E>): void {
    if (phase.kind !== 'over') this.#listeners.tell({ runId, sessionKey, generation, watchers: readers.size });
  }
}

function nothing(): void {}

function isHere(): true {
  return true;
}
