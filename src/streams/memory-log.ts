import type { EventLog, Span } from './event-log.js';
import { bytesOfPiece } from './measure.js';
import type { Delta, Merging } from './merge.js';
import { LONGEST_TEXT, MergedText } from './merged-text.js';

/** What one run may keep. */
export interface LogLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** No entry is larger by merging: what is dropped to make room is a part of the text, and not all of it. */
const SHARE_OF_ENTRY = 8;

interface Entry<E> {
  readonly from: number;
  to: number;
  /** The first event. */
  readonly event: E;
  bytes: number;
  /** Of the first event, if it can be merged with others. */
  readonly delta: Delta | undefined;
  /** Made with the second. */
  merged: MergedText | undefined;
}

/** The events of a run in the memory of its process. */
export class MemoryLog<E> implements EventLog<E, Entry<E>> {
  readonly #limits: LogLimits;
  readonly #longestEntry: number;
  #entries: Entry<E>[] = [];
  /** Those before it are dropped: an array that is shifted for each event costs its length. */
  #first = 0;
  #tail: Entry<E> | undefined;
  /** As it was published: a subscriber that keeps pace needs no rest of a merged one. */
  #newest: E | undefined;
  #dropped = 0;
  last = 0;
  bytes = 0;

  constructor(limits: LogLimits) {
    this.#limits = limits;
    this.#longestEntry = limits.maxBytes / SHARE_OF_ENTRY;
  }

  takes({ key, text }: Delta): boolean {
    const tail = this.#tail;
    if (tail?.delta === undefined || tail.delta.key !== key) return false;
    const length = (tail.merged?.length ?? tail.delta.text.length) + text.length;
    return length <= LONGEST_TEXT && tail.bytes + bytesOfPiece(text) <= this.#longestEntry;
  }

  append(event: E, delta: Delta | undefined, bytes: number): number {
    this.last += 1;
    this.#newest = event;
    if (delta !== undefined && this.takes(delta)) this.#merge(delta.text);
    else this.#add(event, delta, bytes);
    const { maxEvents, maxBytes } = this.#limits;
    while (this.bytes > maxBytes || this.#entries.length - this.#first > maxEvents) if (!this.dropOldest()) break;
    return this.last;
  }

  #merge(text: string): void {
    const tail = this.#tail as Entry<E>;
    if (tail.merged === undefined) {
      tail.merged = new MergedText();
      tail.merged.add((tail.delta as Delta).text);
    }
    tail.merged.add(text);
    tail.to = this.last;
    const bytes = bytesOfPiece(text);
    tail.bytes += bytes;
    this.bytes += bytes;
  }

  #add(event: E, delta: Delta | undefined, bytes: number): void {
    this.#tail?.merged?.seal();
    const entry = { from: this.last, to: this.last, event, bytes, delta, merged: undefined };
    this.#entries.push(entry);
    this.#tail = entry;
    this.bytes += bytes;
  }

  spanBehind(seq: number): Span<Entry<E>> | undefined {
    if (seq >= this.last) return undefined;
    const from = seq + 1;
    if (seq < this.#dropped) return { from, to: this.#dropped, entry: undefined };
    const entry = this.#entryOf(from);
    return { from, to: entry.to, entry };
  }

  eventOf({ from, entry }: Span<Entry<E>>, merging: Merging<E>): { readonly event: E } | undefined {
    const { merged, event, from: first } = entry as Entry<E>;
    if (from === this.last) return { event: this.#newest as E };
    if (merged === undefined) return { event };
    return merging.withText(event, merged.behind(from - first));
  }

  dropOldest(): boolean {
    if (this.#entries.length - this.#first <= 1) return false;
    const { bytes, to } = this.#entries[this.#first] as Entry<E>;
    this.#entries[this.#first] = undefined as never;
    this.#first += 1;
    this.bytes -= bytes;
    this.#dropped = to;
    if (this.#first > 64 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    return true;
  }

  seal(): void {
    this.#tail?.merged?.seal();
    this.#tail = undefined;
  }

  clear(): void {
    this.#entries = [];
    this.#first = 0;
    this.#tail = undefined;
    this.#newest = undefined;
    this.#dropped = this.last;
    this.bytes = 0;
  }

  #entryOf(seq: number): Entry<E> {
    let low = this.#first;
    let high = this.#entries.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Entry<E>).to < seq) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low] as Entry<E>;
  }
}
