import type { AbortReason, Run } from '../index.js';

/** A process that a run has started, and all that came of it. */
export interface ProcessHandle extends AsyncDisposable {
  /** Of the process that was started; it leads a group and a session of its own. */
  readonly pid: number;
  /** The command that was given. */
  readonly command: string;
  /** Writes to it; `undefined` unless it was started with `stdin: 'pipe'`. A write after it is gone rejects. */
  readonly stdin: WritableStream<Uint8Array | string> | undefined;
  /**
   * What it writes, behind the fence of its run: at the cut it errors with the abort. It is read as fast as you read, so
   * that any amount of output takes a bounded memory. It ends when nobody has it open any more, which may be later than
   * the exit if something was left in the background. Cancelled, the rest is dropped. Empty if it is not piped.
   */
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>> & AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** As `stdout`. */
  readonly stderr: ReadableStream<Uint8Array<ArrayBuffer>> & AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Resolves when the process that was started has ended. Never rejects. */
  readonly exited: Promise<Termination>;

  /**
   * Sends one signal to it and to all in its group, and nothing after that.
   *
   * @param signal - for example `SIGINT`
   * @returns false if the process has ended: then its group is not known to be its own any more
   * @throws `INVALID_OPTIONS` if this system has no such signal
   */
  signal(signal: SignalName): boolean;

  /**
   * Kills it and all that came of it: SIGTERM, `graceMs`, SIGKILL, to its group and to every descendant that left it.
   * Safe to repeat: a second call waits for the same end, and may bring SIGKILL forward.
   *
   * @param options - `graceMs`: from now to SIGKILL, in ms, 0 to 60 000; that of `spawn` by default
   * @returns what was proven
   * @throws `INVALID_OPTIONS`
   */
  kill(options?: KillOptions): Promise<KillReport>;

  /**
   * Gives it to another run: from here on it is stopped with that one, and `stdout` and `stderr` are new streams behind
   * its fence. The streams that were handed out before end here; what they have not delivered goes on in the new ones.
   *
   * @param run - a run that is current
   * @throws `PROCESS_STOPPED` if it is gone or is being killed
   * @throws `RUN_ABORTED`, `RUN_ENDED` or `RUN_QUEUED` of the given run; then nothing has changed
   */
  transfer(run: Run): void;
}

/** A signal by its name, such as `SIGINT`. */
export type SignalName = `SIG${string}`;

/** How hard to kill. */
export interface KillOptions {
  /** From now to SIGKILL, in ms, 0 to 60 000. */
  readonly graceMs?: number;
}

/** What became of a tree that was killed. */
export interface KillReport {
  /** True: a look at all processes has found nothing of it. */
  readonly gone: boolean;
  /** What is still there. Empty and not gone: the system could not say. */
  readonly survivors: readonly Survivor[];
  /** From the call to the proof, in ms. */
  readonly elapsedMs: number;
}

/** A process that could not be killed, for example one of another user. */
export interface Survivor {
  /** Its pid. */
  readonly pid: number;
  /** Its command line; it may hold secrets. */
  readonly command: string;
}

/** How a process ended. */
export interface Termination {
  /** Why. The first cause stays, whatever comes later. */
  readonly cause: TerminationCause;
  /** Why its run was aborted, if `cause` is `aborted`. */
  readonly reason: AbortReason | undefined;
  /** `undefined` if a signal ended it. */
  readonly exitCode: number | undefined;
  /** `undefined` if it exited by itself. */
  readonly signal: SignalName | undefined;
}

/**
 * `exited`: by itself, or by somebody else's signal. `killed`: by `kill()`. `aborted`: its run was. `ended`: its run
 * ended in another way. `timed-out`: it took longer than `timeoutMs`. `silent`: it wrote nothing for
 * `noOutputTimeoutMs`.
 */
export type TerminationCause = 'exited' | 'killed' | 'aborted' | 'ended' | 'timed-out' | 'silent';
