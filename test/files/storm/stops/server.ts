import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Answers, Order } from './orders.js';

/** No order takes so long; one that does is stuck. */
const STUCK_MS = 30_000;

/** An order was not carried out: its code, or what became of the process. */
export class Failed extends Error {}

interface Message {
  readonly isReady?: boolean;
  readonly ask?: number;
  readonly answer?: object;
  readonly failed?: string;
  readonly error?: string;
  readonly gap?: { readonly from: number; readonly until: number };
}

/** A time in which a process stood still, by the clock of the host. `until`: it goes on, or is killed for ever. */
export interface Stand {
  readonly pid: number;
  readonly from: number;
  until: number;
}

/** One of the two processes, as its parent sees it. It is forked again after a kill. */
export class Server {
  readonly name: string;
  readonly stands: Stand[] = [];
  /** When the machine was too busy for it. */
  readonly #gaps: { readonly from: number; readonly until: number }[] = [];
  readonly errors: string[] = [];
  readonly #file: string;
  readonly #given: string;
  readonly #asked = new Map<number, { answered: (answer: object) => void; failed: (why: Failed) => void }>();
  #child: ChildProcess | undefined = undefined;
  #asks = 0;

  constructor(name: string, file: string, given: object) {
    this.name = name;
    this.#file = file;
    this.#given = JSON.stringify(given);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const child = fork(this.#file, [this.#given], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
    this.#child = child;
    child.stderr?.on('data', (data: Buffer) => this.errors.push(`stderr: ${data.toString().slice(0, 300)}`));
    child.on('error', () => {});
    child.once('exit', (code, signal) => this.#ended(child, `${code ?? signal}`));
    const ready = new Promise<void>((resolve) => {
      child.on('message', (message: Message) => {
        if (message.isReady === true) resolve();
        else this.#hear(message);
      });
    });
    await Promise.race([ready, once(child, 'exit')]);
  }

  ask<O extends Order>(order: O): Promise<Answers[O['order']]> {
    this.#asks += 1;
    const ask = this.#asks;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(() => reject(new Failed('STUCK'))), STUCK_MS);
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#asked.delete(ask);
        settle();
      };
      this.#asked.set(ask, {
        answered: (answer) => end(() => resolve(answer as Answers[O['order']])),
        failed: (why) => end(() => reject(why)),
      });
      this.#child?.send({ ...order, ask }, (error) => {
        if (error !== null) end(() => reject(new Failed('DEAD')));
      });
    });
  }

  /** Whether it has stood still since then, or just before: what it did may be late. */
  stoodStill(from: number, until: number, pid?: number): boolean {
    return this.stands.some(
      (stand) => (pid === undefined || stand.pid === pid) && stand.from <= until && stand.until + AWAKE_MS >= from - 50,
    );
  }

  /** When it has been awake for so long, in ms, since then. `Infinity`: it stands still. */
  awakeFor(ms: number, since: number): number {
    return awakeFor(ms, since, [...this.stands, ...this.#gaps]);
  }

  sleep(): void {
    this.stands.push({ pid: this.pid, from: now(), until: Number.POSITIVE_INFINITY });
    this.#child?.kill('SIGSTOP');
  }

  wake(): void {
    const last = this.stands.at(-1);
    if (last !== undefined) last.until = now();
    this.#child?.kill('SIGCONT');
  }

  /** It cannot reach the store: it hears of nothing, and nothing of it arrives. */
  cutOff(): void {
    this.stands.push({ pid: this.pid, from: now(), until: Number.POSITIVE_INFINITY });
  }

  joined(): void {
    const last = this.stands.at(-1);
    if (last !== undefined) last.until = now();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    this.stands.push({ pid: this.pid, from: now(), until: Number.POSITIVE_INFINITY });
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    const last = this.stands.at(-1);
    if (last !== undefined) last.until = now();
  }

  /** As a server ends: what it has is drained first. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    const tooLong = setTimeout(() => {
      this.errors.push('did not end');
      child.kill('SIGKILL');
    }, 15_000);
    child.disconnect();
    const [code, signal] = (await exit) as unknown[];
    clearTimeout(tooLong);
    if (code !== 0) this.errors.push(`ended with ${String(code ?? signal)}`);
  }

  #hear({ ask, answer, failed, error, gap }: Message): void {
    if (gap !== undefined) this.#gaps.push(gap);
    if (error !== undefined) this.errors.push(error);
    const asked = ask === undefined ? undefined : this.#asked.get(ask);
    if (failed !== undefined) asked?.failed(new Failed(failed));
    else asked?.answered(answer ?? {});
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    for (const { failed } of [...this.#asked.values()]) failed(new Failed(`DEAD (${how})`));
  }
}

/** What it had begun before it stood still, it ends somewhat later than it goes on. */
const AWAKE_MS = 500;

interface Asleep {
  readonly from: number;
  readonly until: number;
}

/** When somebody has been awake for so long, in ms, since then, who has slept at these times. */
export function awakeFor(ms: number, since: number, sleeps: readonly Asleep[]): number {
  let until = since + ms;
  let sleptUntil = since;
  for (const { from, until: woke } of [...sleeps].sort((a, b) => a.from - b.from)) {
    if (from >= until) break;
    // Of sleeps that overlap, the time counts once.
    until += Math.max(0, woke - Math.max(from, sleptUntil));
    sleptUntil = Math.max(sleptUntil, woke);
  }
  return until;
}

/** In ms, by the clock that all processes of the host share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
