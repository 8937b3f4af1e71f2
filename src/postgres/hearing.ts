import type { Calls } from './calls.js';
import type { Ear } from './lease.js';
import type { Listening, Wire } from './wire.js';

/** While no notice can be heard, changes are looked for so often, in ms. */
const POLL_MS = 250;
/** A probe that does not come back for so many ms shows that notices do not arrive. */
const PROBE_MS = 1_000;
const FIRST_AGAIN_MS = 50;
const MOST_AGAIN_MS = 2_000;

/** What it is heard for. */
export interface Listener {
  /** A notice, which anybody can have sent. */
  heard(text: string): void;
  /** Notices may have been missed: look what has changed. */
  look(): unknown;
  /** The connection listens from now on: a renewal tells the others where, and sends a probe. */
  mustRenew(): unknown;
  /** The number from which on changes are asked for. */
  since(): number;
}

/**
 * Hears the notices of other processes. Whether they arrive is shown by probes and not by a connection that seems to be
 * open: a pooler swallows them without a word, and one that is half open says nothing. While they do not, it looks.
 */
export class Hearing implements Ear {
  channel: string = newChannel();
  readonly #wire: Wire;
  readonly #calls: Calls;
  readonly #listener: Listener;
  #listening: Listening | undefined;
  #isStarted = false;
  #hasHeard = false;
  #probe: { readonly text: string; readonly timer: NodeJS.Timeout } | undefined;
  #poll: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #againMs = FIRST_AGAIN_MS;
  #connecting: Promise<void> | undefined;

  constructor(wire: Wire, calls: Calls, listener: Listener) {
    this.#wire = wire;
    this.#calls = calls;
    this.#listener = listener;
  }

  /** Whether a probe has come back. */
  get isHearing(): boolean {
    return this.#hasHeard;
  }

  get since(): number {
    return this.#listener.since();
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#pollLater();
    this.#connect();
  }

  newProbe(): string | null {
    if (this.#listening === undefined) return null;
    clearTimeout(this.#probe?.timer);
    const timer = setTimeout(() => this.#isDeaf(), PROBE_MS).unref();
    this.#probe = { text: `probe ${crypto.randomUUID()}`, timer };
    return this.#probe.text;
  }

  ask<T>(
    name: string,
    values: readonly (string | number | null)[],
    timeoutMs: number,
  ): Promise<T | undefined> | undefined {
    const call = this.#listening?.call;
    return call && this.#calls.callOn<T>(call, name, values, timeoutMs);
  }

  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#forget();
    clearTimeout(this.#poll);
    clearTimeout(this.#again);
    await this.#connecting;
    const listening = this.#listening;
    this.#listening = undefined;
    await listening?.close();
  }

  #connect(): void {
    if (!this.#isStarted || this.#connecting !== undefined) return;
    const channel = newChannel();
    let isOver = false;
    const heard = {
      notice: (text: string): void => this.#hear(text),
      ended: (): void => {
        isOver = true;
        if (this.channel === channel) this.#isDeaf();
      },
      again: (): void => {
        if (this.channel !== channel) return;
        this.#listener.look();
        this.#listener.mustRenew();
      },
    };
    let listening: Promise<Listening> | undefined;
    try {
      listening = this.#wire.listen(channel, heard);
    } catch {
      // What the host gave to listen with cannot.
      this.#connectLater();
      return;
    }
    if (listening === undefined) return;
    this.#connecting = listening
      .then(
        (connected) => {
          if (!this.#isStarted || isOver) return connected.close();
          this.channel = channel;
          this.#listening = connected;
          this.#listener.mustRenew();
          return undefined;
        },
        () => this.#connectLater(),
      )
      .finally(() => {
        this.#connecting = undefined;
        if (isOver) this.#connectLater();
      });
  }

  #connectLater(): void {
    if (!this.#isStarted) return;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#connect(), this.#againMs * (0.5 + Math.random())).unref();
    this.#againMs = Math.min(MOST_AGAIN_MS, 2 * this.#againMs);
  }

  #hear(text: string): void {
    if (text !== this.#probe?.text) {
      if (!text.startsWith('probe ')) this.#listener.heard(text);
      return;
    }
    clearTimeout(this.#probe.timer);
    this.#probe = undefined;
    this.#againMs = FIRST_AGAIN_MS;
    if (this.#hasHeard) return;
    this.#hasHeard = true;
    clearTimeout(this.#poll);
    this.#poll = undefined;
    this.#listener.look();
  }

  /** The connection is of no use. */
  #isDeaf(): void {
    this.#forget();
    const listening = this.#listening;
    this.#listening = undefined;
    void listening?.close();
    this.#pollLater();
    this.#connectLater();
  }

  #forget(): void {
    clearTimeout(this.#probe?.timer);
    this.#probe = undefined;
    this.#hasHeard = false;
  }

  #pollLater(): void {
    if (!this.#isStarted || this.#hasHeard) return;
    clearTimeout(this.#poll);
    this.#poll = setTimeout(() => {
      this.#listener.look();
      this.#pollLater();
    }, POLL_MS).unref();
  }
}

function newChannel(): string {
  return `runfence_${crypto.randomUUID().replaceAll('-', '')}`;
}
