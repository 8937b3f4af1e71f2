import type { ChildProcess } from 'node:child_process';
import { Writable } from 'node:stream';
import { type AbortReason, type Attached, type Run, RunfenceError } from '../index.js';
import type { KillOptions, KillReport, ProcessHandle, SignalName, Termination, TerminationCause } from './handle.js';
import { KillLadder } from './kill-ladder.js';
import { checkSignal, graceFor, readKill, type SpawnOptions } from './options.js';
import { Output } from './output.js';
import { tellsOfEnd } from './own-end.js';
import { Silence } from './silence.js';
import { Survivors } from './survivors.js';
import { after } from './timer.js';
import { GONE, type Sighting, type Tree, UNKNOWN } from './tree.js';

/** Between the looks for what a process has left behind that ended by itself, as long as they prove nothing. */
const PAUSES_MS: readonly number[] = Object.freeze([5, 50, 500]);

const KILLED: ReadonlySet<TerminationCause> = new Set(['aborted', 'ended', 'killed'] as const);

interface Cause {
  readonly cause: TerminationCause;
  readonly reason: AbortReason | undefined;
}

/** A process, the tree that came of it, and the run that it belongs to. */
export class OwnedProcess implements ProcessHandle {
  readonly pid: number;
  readonly command: string;
  readonly exited: Promise<Termination>;
  readonly #child: ChildProcess;
  readonly #tree: Tree;
  readonly #options: SpawnOptions;
  readonly #outputs: { readonly stdout: Output; readonly stderr: Output };
  readonly #gone: Promise<void>;
  #isGone = false;
  #resolveGone!: () => void;
  #resolveExited!: (termination: Termination) => void;
  /** The last run that had it. */
  #run: Run;
  /** Absent once it was let go. */
  #attached: Attached | undefined;
  #isHandedOut = false;
  #cause: Cause | undefined;
  #termination: Termination | undefined;
  #ladder: KillLadder | undefined;
  #survivors: Survivors | undefined;
  #stdin: WritableStream<Uint8Array | string> | undefined;
  #cancelTimeout: () => void = () => {};
  #silence: Silence | undefined;

  /** Attaches it to the run: to be called in the tick of its start. */
  constructor(run: Run, command: string, child: ChildProcess, tree: Tree, options: SpawnOptions) {
    this.pid = child.pid as number;
    this.command = command;
    this.#child = child;
    this.#tree = tree;
    this.#options = options;
    this.#run = run;
    const heard = (): void => this.#silence?.heard();
    this.#outputs = { stdout: new Output(child.stdout, run, heard), stderr: new Output(child.stderr, run, heard) };
    this.#gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    this.exited = new Promise((resolve) => {
      this.#resolveExited = resolve;
    });
    // A process that does not read any more, or cannot be signalled, is no error of its host.
    child.stdin?.on('error', () => {});
    child.on('error', () => {});
    child.once('exit', (code, signal) => void this.#hasExited(code ?? undefined, signal ?? undefined));
    this.#attached = this.#attachTo(run);
    this.#startTimers();
  }

  get stdin(): WritableStream<Uint8Array | string> | undefined {
    if (this.#child.stdin !== null) this.#stdin ??= Writable.toWeb(this.#child.stdin);
    return this.#stdin;
  }

  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#outputs.stdout.stream;
  }

  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#outputs.stderr.stream;
  }

  /** The caller has it from here on. Until then an abort kills it whatever it was started with: nobody else could. */
  handOut(): void {
    this.#isHandedOut = true;
  }

  signal(signal: SignalName): boolean {
    checkSignal(signal);
    return this.#tree.signalOnce(signal);
  }

  async kill(options: KillOptions = {}): Promise<KillReport> {
    const { graceMs } = readKill(options);
    const { clock } = this.#run;
    const since = clock.monotonic();
    const end = await this.#stop({ cause: 'killed', reason: undefined }, graceMs);
    const survivors = end.state === 'alive' ? end.members : [];
    return {
      gone: end.state === 'gone',
      survivors: survivors.map(({ pid, command }) => ({ pid, command })),
      elapsedMs: clock.monotonic() - since,
    };
  }

  transfer(run: Run): void {
    if (this.#isGone || this.#isBeingStopped) {
      throw new RunfenceError(
        'PROCESS_STOPPED',
        'The process is gone or is being killed: there is nothing to give away.',
      );
    }
    run.throwIfStale();
    const attached = this.#attached;
    this.#attached = this.#attachTo(run);
    attached?.release();
    this.#run = run;
    this.#child.ref();
    for (const output of this.#all) {
      output.handOver(run);
      output.ref();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  get #isBeingStopped(): boolean {
    return this.#ladder !== undefined || this.#survivors !== undefined;
  }

  get #all(): readonly Output[] {
    return [this.#outputs.stdout, this.#outputs.stderr];
  }

  #attachTo(run: Run): Attached {
    return run.attach({
      name: this.#name,
      stop: (reason) => this.#runIsOver(reason),
      hasten: (graceMs) => this.#ladder?.hasten(graceMs),
      gone: this.#gone,
      explains: (error) => this.#isOwnEnd(error),
    });
  }

  /** It was killed with its run, and the error says how it ended. */
  #isOwnEnd(error: unknown): boolean {
    const end = this.#termination;
    return end !== undefined && KILLED.has(end.cause) && tellsOfEnd(error, end);
  }

  /** Without its folder and arguments: receipts are shown to people. */
  get #name(): string {
    return `process ${this.command.split(/[\\/]/).at(-1)} (${this.pid})`;
  }

  #startTimers(): void {
    const { timeoutMs = Number.POSITIVE_INFINITY, noOutputTimeoutMs } = this.#options;
    const { clock } = this.#run;
    const stop = (cause: TerminationCause) => (): void => void this.#stop({ cause, reason: undefined });
    this.#cancelTimeout = after(clock, timeoutMs, stop('timed-out'), 'let exit');
    if (noOutputTimeoutMs === undefined) return;
    const hasUnread = (): boolean => this.#all.some((output) => output.hasUnread);
    this.#silence = new Silence(clock, noOutputTimeoutMs, hasUnread, stop('silent'));
  }

  #stopTimers(): void {
    this.#cancelTimeout();
    this.#silence?.cancel();
  }

  #runIsOver(reason: AbortReason | undefined): void {
    if (this.#options.atAbort === 'detach' && this.#isHandedOut && this.#ladder === undefined) this.#letGo();
    else void this.#stop({ cause: reason === undefined ? 'ended' : 'aborted', reason });
  }

  #letGo(): void {
    this.#attached?.release();
    this.#attached = undefined;
    this.#child.unref();
    for (const output of this.#all) output.unref();
  }

  /** Its first signal is sent within the call. */
  async #stop(cause: Cause, graceMs: number = graceFor(this.#run, this.#options)): Promise<Sighting> {
    if (this.#isGone) return GONE;
    // It may have ended before the signal, and Node has not told of it yet.
    this.#cause ??= this.#tree.hasLeaderEnded() ? { cause: 'exited', reason: undefined } : cause;
    this.#stopTimers();
    if (this.#ladder !== undefined) {
      this.#ladder.hasten(graceMs);
      return this.#ladder.end;
    }
    const ladder = new KillLadder(this.#tree, this.#run.clock, graceMs);
    this.#ladder = ladder;
    const end = await ladder.end;
    this.#ladder = undefined;
    if (end.state === 'gone') {
      // A zombie until Node has reaped it.
      await this.exited;
      this.#finish();
    } else {
      this.#hasSurvived(end);
    }
    return end;
  }

  #hasSurvived(end: Sighting): void {
    // They may have inherited the pipes and keep them open for ever.
    for (const output of this.#all) output.destroy();
    const run = this.#attached === undefined ? undefined : this.#run;
    this.#survivors ??= new Survivors(this.#tree, run, this.#name, () => this.#finish());
    // What is named there takes the place of the whole.
    this.#survivors.name(end);
    this.#attached?.release();
  }

  async #hasExited(exitCode: number | undefined, signal: NodeJS.Signals | undefined): Promise<void> {
    const looking = this.#tree.leaderReaped();
    this.#cause ??= { cause: 'exited', reason: undefined };
    this.#stopTimers();
    this.#termination = { ...this.#cause, exitCode, signal };
    this.#resolveExited(this.#termination);
    this.#ladder?.look();
    let sighting = await looking;
    // A run that goes on is not to keep what has ended because somebody else's end fell into the look.
    for (const pauseMs of PAUSES_MS) {
      if (sighting.state !== 'unknown' || this.#isBeingStopped) break;
      await new Promise<void>((resolve) => void setTimeout(resolve, pauseMs).unref());
      sighting = await this.#look();
    }
    if (sighting.state === 'gone' && this.#ladder === undefined) this.#finish();
  }

  async #look(): Promise<Sighting> {
    try {
      return await this.#tree.look();
    } catch {
      return UNKNOWN;
    }
  }

  #finish(): void {
    this.#isGone = true;
    for (const output of this.#all) output.treeIsGone();
    this.#survivors?.end();
    this.#resolveGone();
  }
}
