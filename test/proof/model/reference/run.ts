import type { AbortReason, EpilogueState, LockState, RunStatus } from 'runfence';
import type { Who } from './authority.js';
import type { Grant } from './lock.js';

/** How a run is asked for. */
export interface Spec {
  readonly id: string;
  readonly session: string;
  readonly kind: string;
  readonly owner: Who;
  readonly tags: readonly string[];
  readonly whenBusy: 'interrupt' | 'enqueue' | 'reject' | 'concurrent';
  readonly startWhen: 'fenced' | 'quiet';
  readonly timeoutMs: number;
  readonly queueTimeoutMs: number;
  readonly graceMs: number;
  readonly fingerprint: string | undefined;
  /** A signal of the caller's, by name. */
  readonly signal: string | undefined;
}

/** Something of a run that is not over yet: a tool call, a critical section, an attached thing, an epilogue. */
export interface Leftover {
  readonly type: 'tool' | 'commit' | 'attached' | 'epilogue';
  readonly label: string;
}

export class Run {
  /** Its name in this model: an id may be used again, once it is forgotten. */
  readonly label: string;
  readonly spec: Spec;
  readonly parent: Run | undefined;
  /** A handle is ended by its holder; other runs when their work returns or throws. */
  readonly isHandle: boolean;
  /** Attached children that are not quiet. */
  readonly children: Set<Run> = new Set();
  status: RunStatus = 'queued';
  /** It has its generation. */
  hasStarted = false;
  /** Its caller knows of it: what happens to it is told. */
  isAnnounced = false;
  /** It was not let in after all: it is forgotten at once. */
  isRefused = false;
  /** The caller has the `Run` object. */
  isInHand = false;
  reason: AbortReason | undefined;
  value: string | undefined;
  error: string | undefined;
  /** What its work threw after the cut, or its epilogue. */
  lateError: string | undefined;
  cutAt = 0;
  quietAt = 0;

  /** The work has not returned, or the holder of the handle has not ended it. */
  isWorking = false;
  readonly left: Leftover[] = [];
  /** Something was attached or announced: even if it is queued, it is seen as stopping before it is quiet. */
  isLaden = false;
  /** What it saves if it is aborted, in order. */
  readonly epilogues: string[] = [];
  epilogue: EpilogueState = 'none';
  grant: Grant | undefined;
  lock: LockState = 'none';
  /** Effects that were refused. */
  fenced = 0;
  /** The end was told: from here on it may become quiet. */
  isTold = false;
  isQuiet = false;

  timeout: unknown;
  queueTimeout: unknown;
  quietWait: unknown;
  overdue: unknown;
  retention: unknown;
  /** Promises that settle with the outcome. */
  readonly outcomes: { readonly label: string; readonly deadline: unknown }[] = [];
  /** What its caller waits for: for a queued handle its `started`, for the other forms the outcome. */
  promise: string | undefined;
  readonly onQuiet: Set<() => void> = new Set();
  readonly onEnd: Set<() => void> = new Set();

  constructor(label: string, spec: Spec, parent: Run | undefined, isHandle: boolean) {
    this.label = label;
    this.spec = spec;
    this.parent = parent;
    this.isHandle = isHandle;
  }

  get id(): string {
    return this.spec.id;
  }

  get session(): string {
    return this.spec.session;
  }

  get isLive(): boolean {
    return this.status === 'queued' || this.status === 'running';
  }

  get hasEnded(): boolean {
    return !this.isLive && this.status !== 'stopping';
  }

  /** Current is what runs, and nothing else. */
  get isCurrent(): boolean {
    return this.status === 'running';
  }

  /** Quiet is when the work has unwound and nothing is left: no tool, section, epilogue, attached thing, nor lock. */
  get isUnwound(): boolean {
    return !this.isWorking && this.left.length === 0 && this.lock !== 'pending' && this.epilogue !== 'pending';
  }

  /** Nearest first. Quiet ones are as good as gone. */
  get ancestors(): Run[] {
    const ancestors: Run[] = [];
    for (let at = this.parent; at !== undefined; at = at.parent) if (!at.isQuiet) ancestors.push(at);
    return ancestors;
  }

  /** What is still there, by name. */
  get leftovers(): string[] {
    if (this.isQuiet) return [];
    const names = this.left.map(({ type, label }) => (type === 'commit' ? type : label));
    if (this.isWorking) names.push('work');
    if (this.epilogue === 'pending') names.push('epilogue');
    if (this.lock === 'pending' && !names.includes('commit')) names.push('lock');
    return names.sort();
  }

  /** The value is kept until the run is quiet. */
  get outcome(): string {
    if (this.status === 'completed') return `completed ${this.isQuiet ? undefined : this.value}`;
    return this.status === 'failed' ? `failed ${this.error}` : `aborted ${this.reason}`;
  }

  /** What a refused effect of a run that is not current is refused with. */
  get closed(): string {
    if (this.status === 'queued') return 'RUN_QUEUED';
    return this.reason === undefined ? 'RUN_ENDED' : `RUN_ABORTED ${this.reason}`;
  }
}

export function withDescendants(runs: readonly Run[]): Run[] {
  const all = new Set(runs);
  for (const run of all) for (const child of run.children) all.add(child);
  return [...all];
}

export function longestGrace(runs: readonly Run[]): number {
  return Math.max(0, ...runs.map(({ spec }) => spec.graceMs));
}
