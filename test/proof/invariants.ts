import { getEventListeners } from 'node:events';
import type {
  AbortOptions,
  Backend,
  ErrorContext,
  Principal,
  QuietReport,
  Receipt,
  Run,
  RunControl,
  RunEvents,
  Selector,
  WaitOutcome,
} from 'runfence';
import type { FakeClock } from 'runfence/testing';
import { type Records, recordBackend } from './invariants/backend.js';
import { noLateEffect } from './invariants/cut.js';
import { announcedEpilogues } from './invariants/epilogues.js';
import { type Activity, type Happening, History, runKey, type Violation } from './invariants/history.js';
import { freeAtCut, type LockBounds, noOverlap, oneHolder } from './invariants/lock.js';
import { noReuse } from './invariants/numbers.js';
import { checkAlone, checkProjections, checkSame } from './invariants/projections.js';
import { stopsReach, stopsSpare } from './invariants/reach.js';
import { checkReport } from './invariants/report.js';
import { oneStory, outcomeText } from './invariants/story.js';
import { ids, isSame, said, same } from './invariants/text.js';
import { oneOutcome, oneTakeover } from './invariants/winner.js';

export type { Activity, Violation } from './invariants/history.js';

const EVENTS: readonly (keyof RunEvents)[] = [
  'run:started',
  'run:aborted',
  'run:ended',
  'run:quiet',
  'session:changed',
  'queue:changed',
  'effect:fenced',
  'lock:granted',
  'lock:released',
  'lock:lost',
];

/**
 * Watches one or more controls (nodes) and the state that they share, and says which of the eight invariants of a run
 * control were broken. It believes what it saw itself: calls, events, effects that a sink received.
 *
 * Attach it before anything happens: `record` around the backend's state, `node` for each control; tell it of every
 * effect (`effect`), activity (`during`), signal and outcome; send stops through `stop`.
 */
export class Invariants {
  readonly history: History;
  readonly #clock: FakeClock;
  readonly #bounds: LockBounds;
  readonly #controls: RunControl[] = [];
  readonly #records: Records[] = [];
  readonly #signals: AbortSignal[] = [];
  readonly #removers: (() => void)[] = [];
  /** Called when a stop has returned: each tries an effect that must not happen any more. */
  readonly #attempts: (() => unknown)[] = [];
  readonly #pending: Promise<unknown>[] = [];
  readonly #strangers: Principal[] = [];
  readonly #known = new Set<string>();
  readonly #nodeOf = new WeakMap<Run, string>();

  constructor(clock: FakeClock, bounds: Partial<LockBounds> = {}) {
    this.#clock = clock;
    this.#bounds = { writeGraceMs: 5_000, epilogueMs: 1_000, backendMs: 0, ...bounds };
    this.history = new History(() => clock.monotonic());
  }

  /** The backend that answers at once, watched. Whatever delays goes around what this returns. */
  record(state: Backend): Backend {
    const records = recordBackend(state, this.history);
    this.#records.push(records);
    return records.backend;
  }

  /** A control, before its first run: this listener is to be the first. */
  node(control: RunControl): void {
    this.#controls.push(control);
    for (const name of EVENTS) {
      this.#removers.push(control.on(name, (event) => this.#heard(control, name, event)));
    }
  }

  /** A signal of the caller's, on which no listener of ours may be left. */
  signal(signal: AbortSignal): void {
    this.#signals.push(signal);
  }

  /** An effect of the run has started, just now. */
  effect(run: Run, name: string): void {
    this.history.add({ type: 'effect', ...this.#named(run), name });
  }

  /** Calls something that the run does, and notes when it began and was over. */
  async during<T>(what: Activity, run: Run, token: number | undefined, act: () => T | PromiseLike<T>): Promise<T> {
    const about = { what, ...this.#named(run), sessionKey: run.sessionKey, token };
    this.history.add({ type: 'begun', ...about });
    try {
      return await act();
    } finally {
      this.history.add({ type: 'over', ...about });
    }
  }

  /** The run's signal is one more witness of its cut. */
  run(run: Run): void {
    const named = this.#named(run);
    run.signal.addEventListener('abort', () => this.history.add({ type: 'signal', ...named }), { once: true });
  }

  /** Tried after every stop, as work does that ignores its signal. It tells `effect` if it got through. */
  attempt(effect: () => unknown): void {
    this.#attempts.push(effect);
  }

  outcome({ aborts }: RunControl, runId: string, status: string, from: string): void {
    this.history.add({ type: 'outcome', nodeId: aborts.runtime.nodeId, runId, status, from });
  }

  /** What a node says of a run of any node. `timeout` and `unknown` say nothing of it. */
  told(control: RunControl, runId: string, outcome: WaitOutcome, from: string): void {
    const { status } = outcome;
    // A duplicate of a run that nobody knows any more.
    const isForgotten = status === 'failed' && /not known any more/.test(String(outcome.error));
    if (status === 'timeout' || status === 'unknown' || isForgotten) return;
    const reason = status === 'aborted' ? outcome.reason : undefined;
    this.history.add({ type: 'told', nodeId: nodeOf(control), runId, outcome: outcomeText(status, reason), from });
  }

  /** A run of this id was asked for just now. */
  asked(control: RunControl, runId: string): void {
    this.history.add({ type: 'asked', nodeId: nodeOf(control), runId });
  }

  /** The run has an epilogue from now on. */
  announced(run: Run): void {
    this.history.add({ type: 'announced', ...this.#named(run) });
  }

  error(control: RunControl, code: string, about: Partial<ErrorContext> = {}): void {
    const { sessionKey, runId } = about;
    this.history.add({ type: 'error', nodeId: nodeOf(control), code, sessionKey, runId });
  }

  refused(runId: string): void {
    this.history.add({ type: 'refused', runId });
  }

  /** Stops runs, and tries at once whatever must not get through any more. */
  stop(control: RunControl, selector: Selector | 'all', options?: AbortOptions): Promise<Receipt> {
    const isLive = new Set(
      control.runs
        .list()
        .filter(({ status }) => status !== 'stopping')
        .map(runKey),
    );
    const nodeId = nodeOf(control);
    const answer = this.stopping(
      control,
      () => control.abort(selector, options),
      // Those of other nodes are cut when their node hears of it.
      (receipt) => receipt.runIds.filter((runId) => isLive.has(runKey({ nodeId, runId }))),
    );
    this.#pending.push(
      answer.then((receipt) => this.#acknowledged(control, selector, options, receipt)).catch(() => {}),
    );
    return answer;
  }

  #acknowledged(
    { runs }: RunControl,
    selector: Selector | 'all',
    { intent = false }: AbortOptions = {},
    { requester, recorded, runIds }: Receipt,
  ): void {
    const isListed = selector === 'all' || (selector.sessionKey === undefined && selector.runId === undefined);
    const elsewhere = runIds.filter((runId) => runs.get(runId) === undefined);
    this.history.add({ type: 'acknowledged', requester, intent, isListed, recorded, elsewhere });
  }

  /** As `stop`, for any call that stops. `cut` says of its answer which runs were cut inside the call on this node. */
  stopping<T>({ aborts }: RunControl, call: () => Promise<T>, cut: (answer: T) => readonly string[]): Promise<T> {
    const answer = call();
    const { nodeId } = aborts.runtime;
    const stop = this.history.add({ type: 'stop', nodeId, runIds: [] as readonly string[] });
    this.tryAll();
    this.#pending.push(
      answer.then(
        (value) => {
          stop.runIds = cut(value);
        },
        () => {},
      ),
    );
    return answer;
  }

  tryAll(): void {
    for (const attempt of this.#attempts) attempt();
  }

  /**
   * 5: what a stranger asks for changes nothing, and its answer is that for what does not exist.
   *
   * @param isDisturbed - something else happened inside the call, so that the state says nothing of it
   */
  async stranger<T>(
    stranger: Principal,
    ask: (about: 'present' | 'absent') => T | PromiseLike<T>,
    isDisturbed: () => boolean = () => false,
  ): Promise<void> {
    this.#strangers.push(stranger);
    const before = this.#state();
    const answer = ask('present');
    if (!isDisturbed() && this.#state() !== before) this.history.wrong(5, 'a stranger changed something');
    const absent = ask('absent');
    const [one, other] = await Promise.allSettled([answer, absent]);
    if (said(one) !== said(other))
      this.history.wrong(5, `a stranger is told ${said(one)}, and ${said(other)} of nothing`);
  }

  /** All violations up to now, by the number of the invariant. */
  check(): Violation[] {
    const { history } = this;
    return [
      ...history.seenWrong,
      ...noLateEffect(history),
      ...oneOutcome(history),
      ...oneStory(history),
      ...stopsSpare(history),
      ...announcedEpilogues(history),
      ...oneTakeover(history, (runId) => this.#isKnown(runId)),
      ...noReuse(history),
      ...oneHolder(history),
      ...freeAtCut(history, this.#bounds, this.#clock.monotonic()),
      ...noOverlap(history, this.#bounds),
      ...this.#byStrangers(),
    ];
  }

  /**
   * When nothing is on its way any more (no answer, no notice, no claim): what the nodes show is what they have
   * announced, and what the backend knows.
   */
  checkSettled(): Violation[] {
    const wrong: Violation[] = [];
    for (const control of this.#controls) {
      for (const key of this.#sessionKeys()) checkSame(control, key, (text) => wrong.push({ invariant: 6, text }));
    }
    const over = new Set(this.history.all('run:aborted', 'run:ended').map(({ run }) => runKey(run)));
    const running = this.history.all('run:started').filter(({ run }) => !over.has(runKey(run)));
    const shown = this.#controls.flatMap((control) => control.runs.list()).filter((run) => run.status === 'running');
    wrong.push(...stopsReach(this.history, shown));
    same(4, 'running runs, announced and shown', ids(running.map(({ run }) => run)), ids(shown), wrong);
    for (const { running: known, sessionKeys } of this.#records) {
      for (const key of sessionKeys()) {
        const here = shown.filter((run) => run.sessionKey === key);
        same(4, `running runs of ${key}, shown and in the backend`, ids(here), ids(known(key)), wrong);
      }
    }
    return wrong;
  }

  /** 8: a receipt says what is there. Ask when it has just been made. */
  checkReport(report: QuietReport): void {
    checkReport(this.history, report);
  }

  /** 8: call it once everything has ended, and retention has passed. */
  checkNothingLeft(): Violation[] {
    const left = this.#records.flatMap((records) => records.left());
    for (const control of this.#controls) {
      for (const [name, size] of Object.entries(control.runs.sizes)) if (size > 0) left.push(`${size} ${name}`);
      for (const run of control.runs.list()) left.push(`the run ${run.runId}, ${run.status}`);
    }
    if (this.#clock.pending > 0) left.push(`${this.#clock.pending} timers of the clock`);
    for (const signal of this.#signals) {
      const listeners = getEventListeners(signal, 'abort').length;
      if (!signal.aborted && listeners > 0) left.push(`${listeners} listeners on a signal`);
    }
    return left.map((text) => ({ invariant: 8, text }));
  }

  /** Stops listening. The receipts of `stop` are in by now, or never will be. */
  async close(): Promise<void> {
    for (const remove of this.#removers.splice(0)) remove();
    await Promise.all(this.#pending);
  }

  #heard<K extends keyof RunEvents>(control: RunControl, name: K, event: RunEvents[K]): void {
    const { nodeId } = control.aborts.runtime;
    this.history.add({ type: name, nodeId, ...event } as unknown as Happening);
    checkProjections(this.history, control, name, event);
    if (name === 'run:started') checkAlone(this.history, control, (event as RunEvents['run:started']).run);
  }

  /** The node of a run that has started is the one that claimed its generation. */
  #named(run: Run): { readonly nodeId: string; readonly runId: string } {
    let nodeId = this.#nodeOf.get(run);
    if (nodeId === undefined) {
      const claims = this.history.all('claimed');
      nodeId = claims.find(({ runId, generation }) => runId === run.id && generation === run.generation)?.nodeId;
      // Without a backend there is one node, and nobody sees it claim.
      if (this.#records.length === 0) nodeId = this.#controls[0]?.aborts.runtime.nodeId;
      if (nodeId === undefined) throw new Error(`No node has claimed generation ${run.generation} for ${run.id}.`);
      this.#nodeOf.set(run, nodeId);
    }
    return { nodeId, runId: run.id };
  }

  #byStrangers(): Violation[] {
    const cutBy = this.history
      .all('run:aborted')
      .filter(({ requester }) => this.#strangers.some((one) => isSame(one, requester)));
    return cutBy.map(({ run }) => ({ invariant: 5, text: `a stranger stopped ${run.runId}` }));
  }

  /** Also of a run that was forgotten since it was last asked for. */
  #isKnown(runId: string): boolean {
    if (this.#controls.some(({ runs }) => runs.get(runId) !== undefined)) this.#known.add(runId);
    return this.#known.has(runId);
  }

  #sessionKeys(): string[] {
    return [...new Set(this.#records.flatMap((records) => [...records.sessionKeys()]))];
  }

  #state(): string {
    const nodes = this.#controls.map(({ runs }) => {
      // That somebody asked for a stop is kept, and judged when it matters: it is nobody's state.
      const { entries, lanes, locks } = runs.sizes;
      return [runs.list(), entries, lanes, locks];
    });
    return JSON.stringify([nodes, this.#records.map((records) => records.state())]);
  }
}

function nodeOf({ aborts }: RunControl): string {
  return aborts.runtime.nodeId;
}
