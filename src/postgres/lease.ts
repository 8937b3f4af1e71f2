import { RunfenceError } from '../index.js';
import type { Calls } from './calls.js';
import type { StoredChanges } from './changes.js';
import { LEASE_GONE, OTHER_LIFETIME, sqlStateOf } from './failures.js';
import { SCHEMA_VERSION } from './sql/index.js';

/** For how much of its lease a process trusts a renewal, counted from when it was sent. */
const TRUSTED = 0.8;
/** For how much of its lease it then tries once more, before it gives up. The rest is a margin: nobody else comes in. */
const BOUNDED = 0.1;
/** A process that slept through its deadline gives its first renewal so long, in ms: others are in already. */
const AWAKE_MS = 1_000;
/** One that cannot renew its lease tries again after so many ms. */
const AGAIN_MS = 250;

/** What the lease tells of. */
export interface LeaseEvents {
  /** A process has begun, or begun anew. */
  opened(): void;
  /** What a renewal has brought. */
  changed(changes: StoredChanges): void;
  /** Something may have been missed. */
  gap(): void;
  /** It has ended, and could not be renewed. */
  lost(): void;
}

/** Where this process listens, and how it asks on the connection that listens. */
export interface Ear {
  readonly channel: string;
  /** The number from which on changes are asked for. */
  readonly since: number;
  /** For the next renewal; it comes back if notices arrive. */
  newProbe(): string | null;
  /** On the listening connection, if it is there and for that. */
  ask<T>(
    name: string,
    values: readonly (string | number | null)[],
    timeoutMs: number,
  ): Promise<T | undefined> | undefined;
}

interface Renewed extends StoredChanges {
  readonly gone?: true;
  readonly lifetime: string;
}

type State = 'closed' | 'open' | 'lost';

/**
 * The lease of this process. Its end is counted from when a renewal was sent, so that it is over here before it is on
 * the server. Past it nothing starts; one more renewal is tried, and if that fails, all is lost: a process that was
 * merely paused goes on.
 */
export class Lease {
  readonly #calls: Calls;
  readonly #leaseMs: number;
  readonly #events: LeaseEvents;
  readonly #ear: Ear;
  #beat = newBeat();
  #lifetime = '';
  #state: State = 'closed';
  #until = Number.POSITIVE_INFINITY;
  #opening: Promise<void> | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #life = 0;

  constructor(calls: Calls, leaseMs: number, ear: Ear, events: LeaseEvents) {
    this.#calls = calls;
    this.#leaseMs = leaseMs;
    this.#ear = ear;
    this.#events = events;
  }

  /** By the monotonic clock. Before the first operation there is nothing that could end. */
  get until(): number {
    return this.#until;
  }

  get beat(): string {
    return this.#beat;
  }

  get lifetime(): string {
    return this.#lifetime;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get leaseMs(): number {
    return this.#leaseMs;
  }

  /** Throws while it is lost: whoever asks is refused at once, or a run that waits for its records is cut too late. */
  refuseIfLost(): void {
    if (this.#state !== 'lost') return;
    throw new RunfenceError(
      'BACKEND_UNAVAILABLE',
      'The lease of this process could not be renewed: Postgres is out of reach. It is tried again.',
    );
  }

  async open(): Promise<void> {
    if (this.#state === 'open') return;
    this.refuseIfLost();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  /**
   * An operation of this process: it says who asks, and under which life of the server.
   *
   * @param name - the function
   * @param request - what it is asked
   */
  async call<T>(name: string, request: object): Promise<T> {
    for (let turn = 0; ; turn++) {
      await this.open();
      const [beat, lifetime] = [this.#beat, this.#lifetime];
      try {
        return (await this.#calls.call<T>(name, [beat, lifetime, request])) as T;
      } catch (error) {
        const state = sqlStateOf(error);
        if (turn >= 3 || (state !== LEASE_GONE && state !== OTHER_LIFETIME)) throw error;
        // It has done nothing. Others may have renewed in the meantime.
        if (beat === this.#beat && lifetime === this.#lifetime) await this.renew();
      }
    }
  }

  /** Renews it now. */
  async renew(timeoutMs: number = this.#leaseMs / 6): Promise<boolean> {
    const [life, beat] = [this.#life, this.#beat];
    const ask = async (
      call: (name: string, values: (string | number | null)[]) => Promise<Renewed | undefined> | undefined,
    ): Promise<boolean> => {
      const sentAt = performance.now();
      const { channel, since } = this.#ear;
      const asked = call('renew', [beat, channel, this.#leaseMs, since, this.#ear.newProbe()]);
      if (asked === undefined) return false;
      const renewed = await asked;
      if (renewed === undefined || life !== this.#life || beat !== this.#beat) return false;
      if (renewed.gone) this.#gone();
      else this.#renewed(sentAt, renewed);
      return renewed.gone !== true;
    };
    // A pool that the host has lent out holds up no heartbeat; and if it fails there, that connection is not used.
    const isRenewed = await ask((name, values) => this.#ear.ask<Renewed>(name, values, timeoutMs)).catch(() => false);
    if (isRenewed || life !== this.#life || beat !== this.#beat) return isRenewed;
    return ask((name, values) => this.#calls.call<Renewed>(name, values, timeoutMs)).catch(() => false);
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => {});
    const wasOpen = this.#state !== 'closed';
    this.#stop();
    this.#state = 'closed';
    this.#until = Number.POSITIVE_INFINITY;
    const beat = this.#beat;
    this.#beat = newBeat();
    // A server that is not there finds out by the end of the lease.
    if (wasOpen) await this.#calls.call('close_lease', [beat], 1_000).catch(() => {});
  }

  async #open(): Promise<void> {
    const sentAt = performance.now();
    const { lifetime, now } = (await this.#calls.call<{ lifetime: string; now: number }>('open_lease', [
      this.#beat,
      this.#ear.channel,
      this.#leaseMs,
      SCHEMA_VERSION,
    ])) as { lifetime: string; now: number };
    this.#lifetime = lifetime;
    this.#state = 'open';
    this.#life += 1;
    this.#until = sentAt + this.#leaseMs * TRUSTED;
    this.#events.changed({ now, list: 0, sessions: [] });
    this.#events.opened();
    this.#beatLater(this.#leaseMs / 3);
    this.#watchDeadline();
  }

  #renewed(sentAt: number, { lifetime, ...changes }: Renewed): void {
    const wasLate = sentAt > this.#until || this.#state === 'lost';
    const isOtherLifetime = lifetime !== this.#lifetime;
    this.#lifetime = lifetime;
    this.#state = 'open';
    this.#until = Math.max(this.#until, sentAt + this.#leaseMs * TRUSTED);
    this.#watchDeadline();
    this.#events.changed(changes);
    if (wasLate || isOtherLifetime) this.#events.gap();
  }

  /** Others have buried this process. It goes on under another name, and what it had is not its own. */
  #gone(): void {
    this.#stop();
    this.#state = 'closed';
    this.#until = Number.NEGATIVE_INFINITY;
    this.#beat = newBeat();
    this.#events.lost();
    this.open().catch(() => this.#reopenLater());
  }

  #reopenLater(): void {
    if (this.#state !== 'closed') return;
    this.#heartbeat = setTimeout(() => {
      this.open().catch(() => this.#reopenLater());
    }, AGAIN_MS).unref();
  }

  #stop(): void {
    this.#life += 1;
    clearTimeout(this.#heartbeat);
    clearTimeout(this.#deadline);
    this.#heartbeat = undefined;
    this.#deadline = undefined;
  }

  #beatLater(ms: number): void {
    const life = this.#life;
    const beat = async (): Promise<void> => {
      const isRenewed = await this.renew();
      if (life !== this.#life) return;
      this.#beatLater(isRenewed ? this.#leaseMs / 3 : Math.min(AGAIN_MS, this.#leaseMs / 10));
    };
    clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => void beat(), ms * (0.9 + 0.1 * Math.random())).unref();
  }

  /** Timers may fire early, and late: after a pause a renewal comes first. */
  #watchDeadline(): void {
    if (this.#deadline !== undefined) return;
    const life = this.#life;
    const look = async (): Promise<void> => {
      this.#deadline = undefined;
      const lateMs = performance.now() - this.#until;
      if (lateMs >= 0) {
        const boundMs = this.#leaseMs * BOUNDED;
        await this.#renewWithin(lateMs > boundMs ? Math.max(boundMs, AWAKE_MS) : boundMs);
        if (life !== this.#life) return;
        if (performance.now() >= this.#until) {
          this.#lose();
          return;
        }
      }
      this.#watchDeadline();
    };
    this.#deadline = setTimeout(() => void look(), Math.max(1, this.#until - performance.now())).unref();
  }

  /** One that is on its way already may be so on a connection that is dead. */
  async #renewWithin(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms).unref();
    });
    await Promise.race([this.renew(ms), bound]);
    clearTimeout(timer);
  }

  #lose(): void {
    if (this.#state !== 'open') return;
    this.#state = 'lost';
    this.#events.lost();
  }
}

/** Random, and never used again. */
function newBeat(): string {
  return crypto.randomUUID();
}
