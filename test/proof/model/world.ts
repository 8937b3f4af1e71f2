import {
  type AbortedBeforeStart,
  type AbortReason,
  ADMIN,
  type Backend,
  createRunControl,
  type Grant,
  isRunfenceError,
  type Outcome,
  type QuietReport,
  type Receipt,
  type Requester,
  type Run,
  type RunControl,
  type RunOptions,
  type RunResult,
  type WaitOutcome,
} from 'runfence';
import { memory, type Snapshot } from 'runfence/backend';
import { FakeClock } from 'runfence/testing';
import { type Gate, gate } from '../../support/work.js';
import { IDS, type Who } from './reference/authority.js';
import { RETENTION } from './reference/ending.js';
import { Journal } from './reference/journal.js';
import { EPILOGUE_MS, LOCK_TIMEOUT_MS, WRITE_GRACE_MS } from './reference/lock.js';
import type { Spec } from './reference/run.js';

export const GRACE_MS = 4_000;
export const SESSIONS: readonly string[] = ['s1', 's2', 's3'];

/** Which ledger the library stands on: its own, or a backend in memory that other nodes could share. */
export type LedgerKind = 'private' | 'memory';

/** A deliberate defect, put around the real system by the tests that show that the model can fail. */
export interface Defect {
  readonly backend?: (backend: Backend) => Backend;
  readonly control?: (control: RunControl) => RunControl;
  readonly run?: (run: Run) => Run;
  readonly clock?: () => FakeClock;
}

/** The real system, driven through its public API, and a journal of what its users see. */
export class World {
  readonly clock: FakeClock;
  readonly #backend: Backend | undefined;
  readonly control: RunControl;
  readonly journal: Journal = new Journal();
  /** `Run` objects, by the label of their begin. */
  readonly runs: Map<string, Run> = new Map();
  readonly grants: Map<string, Grant> = new Map();
  readonly receipts: Map<string, Receipt> = new Map();
  /** What tools, sections, epilogues, attached things and work wait for, by label. */
  readonly #gates = new Map<string, Gate<string>>();
  readonly #signals = new Map<string, AbortController>();
  readonly #generations = new Map<string, number>();
  readonly #tokens = new Map<string, number>();
  readonly #inHand: (run: Run) => Run;

  constructor(ledger: LedgerKind, defect: Defect = {}) {
    this.clock = defect.clock?.() ?? new FakeClock();
    this.#backend = ledger === 'private' ? undefined : (defect.backend?.(memory()) ?? memory());
    const control = createRunControl({
      ...(this.#backend === undefined ? {} : { backend: this.#backend }),
      clock: this.clock,
      retention: RETENTION,
      defaults: {
        graceMs: GRACE_MS,
        epilogueMs: EPILOGUE_MS,
        writeGraceMs: WRITE_GRACE_MS,
        lockTimeoutMs: LOCK_TIMEOUT_MS,
      },
      onError: (error) => {
        const name = nameOf(error);
        // Told once a control, to whoever set it up: it says nothing of a run.
        if (name !== 'OWNER_MISSING' && name !== 'SIGNAL_UNREAD') this.journal.errors.push(name);
      },
    });
    this.control = defect.control?.(control) ?? control;
    this.#inHand = defect.run ?? ((run) => run);
    this.#listen();
  }

  /** Who holds a session's lock: a run's id, `host`, or `undefined`. */
  holder(sessionKey: string): string | undefined {
    const record = this.#backend?.readSession({ sessionKey, nodeId: '', watch: false }) as Snapshot | undefined;
    const holder = record === undefined ? this.control.locks.locks(sessionKey)?.holder : record.holder;
    return holder === undefined ? undefined : (holder.runId ?? 'host');
  }

  signal(name: string): AbortController {
    const controller = this.#signals.get(name) ?? new AbortController();
    this.#signals.set(name, controller);
    return controller;
  }

  gate(label: string): Gate<string> {
    const made = gate<string>();
    this.#gates.set(label, made);
    return made;
  }

  /** Lets what waits behind a gate end: with a value, or with an error. */
  end(label: string, value: string, error: string | undefined): void {
    const waiting = this.#gates.get(label);
    if (waiting === undefined) throw new Error(`${label} was never called.`);
    if (error === undefined) waiting.open(value);
    else waiting.fail(new Error(error));
  }

  track<T>(label: string, promise: Promise<T>, describe: (value: T) => string): void {
    this.journal.promise(label);
    promise.then(
      (value) => this.journal.settle(label, describe(value)),
      (error: unknown) => this.journal.settle(label, refusal(error)),
    );
  }

  hold(label: string, run: Run): Run {
    const held = this.#inHand(run);
    this.runs.set(label, held);
    return held;
  }

  work(label: string): (run: Run) => Promise<string> {
    return (run) => {
      this.hold(label, run);
      return this.gate(label).promise;
    };
  }

  optionsOf(spec: Spec): RunOptions {
    const { session, id, kind, owner, tags, whenBusy, startWhen, timeoutMs, queueTimeoutMs, graceMs } = spec;
    return {
      sessionKey: session,
      runId: id,
      kind,
      tags,
      whenBusy,
      startWhen,
      timeoutMs,
      queueTimeoutMs,
      graceMs,
      ...(owner === 'host' ? {} : { owner: IDS[owner] }),
      ...(spec.fingerprint === undefined ? {} : { fingerprint: spec.fingerprint }),
      ...(spec.signal === undefined ? {} : { signal: this.signal(spec.signal).signal }),
    };
  }

  #listen(): void {
    const { control, journal } = this;
    const log = (line: string): void => {
      journal.events.push(line);
    };
    // Each line shows the projection, too: it must be there when the event is.
    const status = (runId: string): string | undefined => control.runs.get(runId)?.status;
    control.on('run:started', ({ run }) => {
      this.#rises('generation', this.#generations, run.sessionKey, run.generation);
      log(`run:started ${run.runId} ${status(run.runId)}`);
    });
    control.on('run:aborted', ({ run: { runId }, reason, requester, supersededBy }) =>
      log(`run:aborted ${runId} ${status(runId)} ${reason} ${whoIs(requester)} ${supersededBy}`),
    );
    control.on('run:ended', ({ run: { runId }, error }) =>
      log(`run:ended ${runId} ${status(runId)} ${error === undefined ? undefined : nameOf(error)}`),
    );
    control.on('run:quiet', ({ run: { runId }, elapsedMs, fencedEffects }) =>
      log(`run:quiet ${runId} ${status(runId)} ${elapsedMs} ${fencedEffects}`),
    );
    // The run may be forgotten.
    control.on('effect:fenced', ({ run }) => log(`effect:fenced ${run.runId} ${run.status}`));
    control.on('session:changed', ({ sessionKey }) => log(`session:changed ${sessionKey} ${this.view(sessionKey)}`));
    control.on('queue:changed', ({ sessionKey, queuedRunIds }) => log(`queue:changed ${sessionKey} ${queuedRunIds}`));
    control.on('lock:granted', ({ sessionKey, token, runId }) => {
      this.#rises('token', this.#tokens, sessionKey, token);
      log(`lock:granted ${sessionKey} ${runId}`);
    });
    control.on('lock:released', ({ sessionKey, runId }) => log(`lock:released ${sessionKey} ${runId}`));
    control.on('lock:lost', ({ sessionKey, runId }) => log(`lock:lost ${sessionKey} ${runId}`));
  }

  view(sessionKey: string, requester: Who = 'host'): string {
    const view = this.control.runs.session(sessionKey, by(requester));
    return `${view.activeRunIds}|${view.stoppingRunIds}|${view.queuedRunIds}`;
  }

  /** Generations and tokens strictly rise within a session. */
  #rises(what: string, last: Map<string, number>, sessionKey: string, number: number): void {
    const before = last.get(sessionKey) ?? 0;
    if (!(number > before)) this.journal.events.push(`! ${what} ${number} after ${before}`);
    last.set(sessionKey, number);
  }
}

export function by(who: Who): { readonly requester?: Requester } {
  if (who === 'host') return {};
  return { requester: who === 'admin' ? ADMIN : IDS[who] };
}

function whoIs(requester: Requester | undefined): string {
  if (requester === undefined) return 'host';
  if (requester === ADMIN) return 'admin';
  const isSame = (who: string): boolean => {
    const ids = IDS[who as Who];
    return ids.userId === requester.userId && ids.deviceId === requester.deviceId;
  };
  return Object.keys(IDS).find(isSame) ?? 'nobody';
}

function nameOf(error: unknown): string {
  return isRunfenceError(error) ? error.code : (error as Error).message;
}

function refusal(error: unknown): string {
  if (!isRunfenceError(error)) return `failed ${(error as Error).message}`;
  const { reason, started } = error as { reason?: AbortReason; started?: boolean };
  return `! ${error.code}${reason === undefined ? '' : ` ${reason}`}${started === true ? ' started' : ''}`;
}

export function outcome(answer: Outcome | WaitOutcome | RunResult<unknown> | AbortedBeforeStart): string {
  switch (answer.status) {
    case 'completed':
      return `completed ${answer.value}`;
    case 'failed':
      return `failed ${nameOf(answer.error)}`;
    case 'aborted':
      return `aborted ${answer.reason}`;
    case 'duplicate':
      return `duplicate ${answer.run.status}`;
    case 'rejected': {
      const { cause, runIds, leftovers } = answer;
      if (cause === 'busy') return `rejected busy ${runIds}`;
      return cause === 'not-quiet' ? `rejected not-quiet ${[...leftovers].sort()}` : `rejected ${cause}`;
    }
    default:
      return answer.status;
  }
}

export function receipt({ result, runIds, queuedRunIds, recorded }: Receipt): string {
  return `${result} runs=${runIds} queued=${queuedRunIds} ${recorded}`;
}

export function report({ quiet, elapsedMs, runs }: QuietReport): string {
  const lines = runs.map(
    (run) =>
      `${run.runId} ${run.state} ${run.lock} ${run.epilogue} ${[...run.leftovers].sort()} ${run.fencedEffects} ` +
      `${run.elapsedMs} ${run.error === undefined ? undefined : nameOf(run.error)}`,
  );
  return `${quiet} ${elapsedMs} ${lines.join('; ')}`;
}
