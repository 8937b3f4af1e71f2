import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend } from '../../backend/index.js';
import {
  type Awaitable,
  createRunControl,
  type Run,
  type RunControl,
  type RunControlOptions,
  type RunOptions,
} from '../../index.js';
import { Random } from '../random.js';
import { TestNode } from './node.js';
import type { ConformanceOptions, ConformanceProcesses, ConformanceStore } from './options.js';
import { startProcess, startThread, type TestProcess } from './processes.js';

const DEAD_WITHIN_MS = 200;
const PATIENCE_MS = 15_000;

/** How often the turns of a measurement are made. */
const MOST_TRIES = 6;

/** What one scenario works with. Everything that was made on it is taken away after the scenario. */
export class Bench {
  readonly options: ConformanceOptions;
  readonly random: Random;
  readonly #seed: number;
  readonly #backends: Set<Backend> = new Set();
  readonly #nodes: TestNode[] = [];
  readonly #controls: RunControl[] = [];
  readonly #runs: Run[] = [];
  readonly #processes: TestProcess[] = [];
  #store: Promise<ConformanceStore> | undefined;
  #names = 0;

  constructor(options: ConformanceOptions, seed: number) {
    this.options = options;
    this.#seed = seed;
    this.random = new Random(seed);
  }

  /** A name that no other scenario and no other run of the suite has: the store may be shared. */
  key(text = 'session'): string {
    this.#names += 1;
    return `conformance-${this.#seed.toString(36)}-${this.#names}-${text}`;
  }

  /** How many rounds to make, of so many in a whole run. */
  rounds(whole: number): number {
    return Math.max(3, Math.ceil(whole * (this.options.share ?? 1)));
  }

  /**
   * The scenario's store, made when it is first asked for.
   *
   * @param open - how, if not as usual
   */
  store(open: () => Awaitable<ConformanceStore> = this.options.open): Promise<ConformanceStore> {
    this.#store ??= Promise.resolve(open());
    return this.#store;
  }

  async connect(): Promise<Backend> {
    const backend = await (await this.store()).connect();
    this.#backends.add(backend);
    return backend;
  }

  /** Another node, on a backend of its own if the store can have several. */
  async node(backend?: Backend): Promise<TestNode> {
    const node = new TestNode(this.key('node'), backend ?? (await this.connect()));
    this.#nodes.push(node);
    return node;
  }

  /** A control, which is a node too. */
  async control(options: RunControlOptions = {}): Promise<RunControl> {
    // An answer that takes its time is no fault of the backend.
    const defaults = { backendTimeoutMs: PATIENCE_MS, ...options.defaults };
    const control = createRunControl({ ...options, defaults, backend: options.backend ?? (await this.connect()) });
    this.#controls.push(control);
    return control;
  }

  /** A run that has to start, and that ends with the scenario at the latest. */
  async begin(control: RunControl, options: RunOptions): Promise<Run> {
    const begun = await control.runs.begin(options);
    if (begun.status !== 'started') assert.fail(`the run was not started: ${begun.status}`);
    this.#runs.push(begun.run);
    return begun.run;
  }

  /** A node whose lease can be ended: in the store, or because its process stands still for longer. */
  async sleeper(): Promise<{ readonly node: TestNode; sleep(): Promise<void> }> {
    if (this.options.endsLeases === true) {
      const node = await this.node();
      return { node, sleep: async () => (await this.store()).endLease?.(node.id) };
    }
    const process = await this.process();
    const fallAsleep = async (): Promise<void> => {
      process.signal('SIGSTOP');
      await sleep(this.staleMs);
    };
    return { node: await this.node(process.backend), sleep: fallAsleep };
  }

  /** Another process on the store. */
  async process(): Promise<TestProcess> {
    const { address } = await this.store();
    return this.#started(await startProcess(this.#support.spawn(address), this.key('process')));
  }

  /** A thread on the store. */
  async thread(): Promise<TestProcess> {
    const { address } = await this.store();
    return this.#started(await startThread(this.#support.worker(address), this.key('thread')));
  }

  get staleMs(): number {
    return this.#support.staleMs;
  }

  /** Within how long the holder is replaced whose process was killed, in ms. */
  get deadWithinMs(): number {
    return this.#support.deadWithinMs ?? DEAD_WITHIN_MS;
  }

  /** Waits until something holds. For what a backend promises to happen, and not when. */
  async eventually(
    what: string,
    holds: () => Awaitable<boolean>,
    withinMs: number = this.options.patienceMs ?? PATIENCE_MS,
  ): Promise<number> {
    const start = performance.now();
    while (!(await holds())) {
      if (performance.now() - start > withinMs) assert.fail(`not within ${withinMs} ms: ${what}`);
      await sleep(2);
    }
    return performance.now() - start;
  }

  /** Closes what was made so far, as the last process on the store would, and keeps the store. */
  async closeAll(): Promise<void> {
    for (const process of this.#processes.splice(0)) await process.kill();
    for (const run of this.#runs.splice(0)) run.complete();
    for (const control of this.#controls.splice(0)) await control.drain({ graceMs: 0 });
    for (const node of this.#nodes.splice(0)) node.deafen();
    for (const backend of this.#backends) await backend.close();
    this.#backends.clear();
  }

  async takeAway(): Promise<void> {
    await this.closeAll();
    await (await this.#store)?.destroy();
  }

  get #support(): ConformanceProcesses {
    const { processes } = this.options;
    assert.ok(typeof processes === 'object');
    return processes;
  }

  #started(process: TestProcess): TestProcess {
    this.#processes.push(process);
    return process;
  }
}

/** How late this machine is by itself, in ms: a bound on how soon a backend acts is not about that. */
export async function lateness(): Promise<number> {
  let worst = 0;
  for (let turn = 0; turn < 20; turn++) {
    const start = performance.now();
    await sleep(1);
    worst = Math.max(worst, performance.now() - start - 1);
  }
  return 5 * worst;
}

/**
 * Checks how soon a backend acts: the median of some turns. A machine that is busy is so for a while, and a backend that
 * is late always is: the turns are made again until they are soon enough, and a few times at most.
 *
 * @param turn - one time, in ms
 */
export async function promptly(allowedMs: number, turns: number, turn: () => Promise<number>): Promise<void> {
  for (let tries = 1; ; tries++) {
    const times: number[] = [];
    for (let made = 0; made < turns; made++) times.push(await turn());
    const allowed = allowedMs + (await lateness());
    if (median(times) < allowed) return;
    if (tries === MOST_TRIES) assert.fail(`${Math.round(median(times))} ms, at most ${Math.round(allowed)}`);
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
