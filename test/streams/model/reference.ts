import type { AbortReason } from 'runfence';
import type { StreamItem } from 'runfence/streams';
import type { Part } from '../support/deltas.js';

/** One attempt of a run, as somebody would keep it who has no limits: a list. */
export interface Attempt {
  /** 0 until it starts. */
  generation: number;
  readonly events: Part[];
  cut: AbortReason | undefined;
  end: 'completed' | 'failed' | 'aborted' | undefined;
  /** Its session was deleted when it had so many events. */
  erased: number;
}

export function attempt(): Attempt {
  return { generation: 0, events: [], cut: undefined, end: undefined, erased: 0 };
}

/** What one subscriber has got, and what it may get next. */
export class Follower {
  readonly attempt: Attempt;
  #at: number;
  #expected: number | undefined;
  #toldCut = false;
  isOver = false;

  constructor(of: Attempt, after: { readonly generation?: number; readonly seq: number }) {
    this.attempt = of;
    this.#expected = after.generation;
    this.#at = Math.min(after.seq, of.events.length);
  }

  get #mustRestart(): boolean {
    const { generation } = this.attempt;
    return this.#expected !== undefined && generation > 0 && this.#expected !== generation;
  }

  /** Whether a subscriber that waits has something to get. */
  get hasNext(): boolean {
    const { events, cut, end } = this.attempt;
    if (this.#mustRestart || this.#at < events.length) return true;
    return (cut !== undefined && !this.#toldCut) || end !== undefined;
  }

  /** What is wrong with an item; `undefined`: it is right. */
  take(item: StreamItem<Part>, mayGap: boolean): string | undefined {
    const { attempt } = this;
    if (this.isOver) return 'an item behind the end';
    if (this.#mustRestart) {
      if (item.type !== 'restart' || item.generation !== attempt.generation) return 'no restart';
      this.#expected = undefined;
      this.#at = 0;
      return undefined;
    }
    if (this.#at < attempt.events.length) return this.#part(item, mayGap);
    if (attempt.cut !== undefined && !this.#toldCut) {
      this.#toldCut = true;
      return item.type === 'cut' && item.reason === attempt.cut ? undefined : 'no cut';
    }
    this.isOver = true;
    if (item.type !== 'end') return 'no end';
    return item.status === attempt.end && item.seq === attempt.events.length ? undefined : 'another end';
  }

  #part(item: StreamItem<Part>, mayGap: boolean): string | undefined {
    const { events, erased, generation } = this.attempt;
    if (item.type !== 'event' && item.type !== 'gap') return `${item.type} before the events`;
    if (item.generation !== generation) return 'another generation';
    const { from } = item;
    const to = item.type === 'event' ? item.seq : item.to;
    if (from !== this.#at + 1 || to < from || to > events.length) return `numbers ${from} to ${to} behind ${this.#at}`;
    this.#at = to;
    if (item.type === 'gap') return mayGap || to <= erased ? undefined : 'a gap without a reason';
    const parts = events.slice(from - 1, to);
    const [first] = parts;
    if (parts.length === 1 || first?.type !== 'text') {
      return parts.length === 1 && JSON.stringify(item.event) === JSON.stringify(first) ? undefined : 'another event';
    }
    const whole = parts.map((part) => (part.type === 'text' ? part.text : '?')).join('');
    return item.event.type === 'text' && item.event.text === whole ? undefined : 'another text';
  }
}
