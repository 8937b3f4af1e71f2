import type { GatewayContext } from './context.js';
import { eventFrame } from './frames.js';

/** What a transport gives for each of its connections. */
export interface GatewaySocket {
  /**
   * Sends a text frame.
   *
   * @param frame - the frame
   * @returns nothing while the transport takes more; once it has much to send yet, a promise that settles when this frame
   *   has gone out
   */
  send(frame: string): void | PromiseLike<void>;
  /**
   * Closes the connection once what was sent has gone out.
   *
   * @param code - a close code of WebSocket
   * @param reason - a code of an error, or empty
   */
  close(code: number, reason: string): void;
}

/** The way out of a connection: it knows whether the client keeps up. */
export class Outlet {
  readonly #context: GatewayContext;
  readonly #socket: GatewaySocket;
  /** The transport does not take any more, or the client does not read. */
  readonly #failed: (error: unknown) => void;
  readonly #stalled: () => void;
  #lastSeq = 0;
  #isClosed = false;
  /** Settles when what was sent last has gone out; `undefined` while the client keeps up. */
  #draining: Promise<void> | undefined;
  #timer: unknown;
  #waiting: (() => void)[] = [];

  constructor(
    context: GatewayContext,
    socket: GatewaySocket,
    on: { readonly failed: (error: unknown) => void; readonly stalled: () => void },
  ) {
    this.#context = context;
    this.#socket = socket;
    this.#failed = on.failed;
    this.#stalled = on.stalled;
  }

  /** Much was sent that the client has not read yet. */
  get isFull(): boolean {
    return this.#draining !== undefined;
  }

  /** Settles when the client has caught up, or the connection is closed. It never rejects. */
  whenFree(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** `payload` is JSON already. */
  event(name: string, payload: string): void {
    if (this.#isClosed) return;
    this.#lastSeq += 1;
    this.send(eventFrame(name, this.#lastSeq, payload));
  }

  send(frame: string): void {
    if (this.#isClosed) return;
    let going: void | PromiseLike<void>;
    try {
      going = this.#socket.send(frame);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (going !== undefined) this.#wait(going);
  }

  close(code: number, reason: string): void {
    if (!this.closed()) return;
    try {
      this.#socket.close(code, reason);
    } catch {
      // It is closed already, in the transport's own way.
    }
  }

  /** The transport has closed it. @returns false if it was closed before */
  closed(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    this.#free();
    return true;
  }

  #wait(going: PromiseLike<void>): void {
    const draining: Promise<void> = Promise.resolve(going).then(
      () => {
        if (this.#draining === draining) this.#free();
      },
      (error: unknown) => {
        if (!this.#isClosed) this.#failed(error);
      },
    );
    this.#draining = draining;
    // From the first frame that waits: each one that goes out later would begin it anew.
    const { clock } = this.#context.control;
    this.#timer ??= clock.setTimeout(() => {
      this.#timer = undefined;
      this.#stalled();
    }, this.#context.limits.stallMs);
  }

  #free(): void {
    this.#draining = undefined;
    this.#context.control.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
