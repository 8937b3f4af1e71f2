import type { HttpContext } from './context.js';

interface Stream {
  /** Sends a comment. */
  readonly beat: () => void;
  /** Something waits that the client has not read. */
  readonly isFull: () => boolean;
  /** The client does not read any more. */
  readonly stalled: () => void;
}

/**
 * Looks at a stream now and then, with one timer and no clock a token: sends a comment into a silence, and finds a client
 * that does not read. A comment is not sent to a client that has not read the last one.
 */
export class Pulse {
  readonly #context: HttpContext;
  readonly #stream: Stream;
  readonly #everyMs: number;
  #timer: unknown;
  #isWaiting = false;
  /** Moves with everything that goes out or is asked for. */
  #moves = 0;
  #lastMoves = 0;
  #silentMs = 0;
  #stalledMs = 0;

  constructor(context: HttpContext, stream: Stream) {
    this.#context = context;
    this.#stream = stream;
    const { heartbeatMs, stallMs } = context.limits;
    this.#everyMs = Math.min(heartbeatMs, stallMs, LONGEST_TIMER_MS);
    this.#arm();
  }

  /** The client wants to read. */
  waits(): void {
    this.#isWaiting = true;
    this.#moves += 1;
  }

  /** The client has got something. */
  sent(): void {
    this.#isWaiting = false;
    this.#moves += 1;
  }

  stop(): void {
    this.#context.control.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#context.control.clock.setTimeout(() => this.#look(), this.#everyMs);
  }

  #look(): void {
    const { heartbeatMs, stallMs } = this.#context.limits;
    const hasMoved = this.#moves !== this.#lastMoves;
    this.#lastMoves = this.#moves;
    const isStuck = this.#stream.isFull() || !this.#isWaiting;
    this.#stalledMs = isStuck && !hasMoved ? this.#stalledMs + this.#everyMs : 0;
    this.#silentMs = hasMoved ? 0 : this.#silentMs + this.#everyMs;
    if (this.#stalledMs >= stallMs) {
      this.#timer = undefined;
      this.#stream.stalled();
      return;
    }
    if (!isStuck && this.#silentMs >= heartbeatMs) {
      this.#silentMs = 0;
      this.#stream.beat();
    }
    this.#arm();
  }
}

const LONGEST_TIMER_MS = 2_147_483_647;
