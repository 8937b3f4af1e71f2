import { appendFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Backend } from '../../backend/index.js';
import { type Awaitable, createRunControl, type Grant, type Run, type RunControl } from '../../index.js';
import { hearing } from './heard.js';
import { TestNode } from './node.js';
import type { Answered, Asked, Order, Owned, Report } from './orders.js';

const WATCHED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;
/** The event loop stood still if it did not turn for so long, in ms. */
const STALL_MS = 500;
/** How long an answer may take, in ms, on a machine that is busy. */
const ANSWER_MS = 15_000;

/**
 * Makes this process, or this worker thread, one that the conformance suite can give orders to. Call it alone in the
 * script that `spawn` and `worker` start, with an IPC channel to the suite.
 *
 * @param open - makes a backend on the store of this address: the last argument of the process, or the worker's data
 */
export async function obeyConformance(open: (address: string) => Awaitable<Backend>): Promise<void> {
  const listeners = (): number => WATCHED_SIGNALS.reduce((sum, name) => sum + process.listenerCount(name), 0);
  const signalListeners = listeners();
  const address = parentPort === null ? process.argv.at(-1) : workerData;
  const backend = await open(String(address));
  const say = (message: Report | Answered): void => {
    if (parentPort === null) process.send?.(message, undefined, {}, () => {});
    else parentPort.postMessage(message);
  };
  const servant = new Servant(backend, say);
  const hear = async ({ id, order }: Asked): Promise<void> => {
    try {
      say({ id, value: await servant.obey(order) });
    } catch (error) {
      const { message, code } = error as Error & { readonly code?: string };
      say({ id, error: { message, code } });
    }
  };
  if (parentPort === null) {
    process.on('message', (asked) => void hear(asked as Asked));
    process.on('disconnect', exit);
  } else parentPort.on('message', (asked: Asked) => void hear(asked));
  say({ told: 'ready', scope: backend.scope, signalListeners });
}

function exit(): void {
  process.exit();
}

class Servant {
  readonly #backend: Backend;
  readonly #say: (report: Report) => void;
  #control: RunControl | undefined;
  #run: Run | undefined;
  #grant: Grant | undefined;
  #unsubscribe: (() => void)[] = [];
  #turnedAt = performance.now();
  #wokeAt = 0;
  #turning: NodeJS.Timeout | undefined;

  constructor(backend: Backend, say: (report: Report) => void) {
    this.#backend = backend;
    this.#say = say;
  }

  async obey(order: Order): Promise<unknown> {
    switch (order.do) {
      case 'call':
        return (this.#backend[order.method] as (argument: unknown) => unknown)(order.argument);
      case 'listen':
        return this.#listen(order.nodeId);
      case 'bump':
        return this.#bump(order);
      case 'journal':
        return this.#journal(order);
      case 'own':
        return this.#own(order.sessionKey);
      case 'disown':
        this.#grant?.release();
        this.#run?.complete();
        return undefined;
      case 'write':
        return appendFile(order.file, `${this.#run?.generation} late\n`);
      case 'stall': {
        const end = performance.now() + order.ms;
        while (performance.now() < end);
        return this.#aliveMs();
      }
      case 'alive':
        return this.#aliveMs();
      case 'wall': {
        const { now } = Date;
        Date.now = () => now() + order.ms;
        return undefined;
      }
      case 'handle-sigterm':
        process.on('SIGTERM', () => process.exit(order.exitCode));
        return undefined;
      case 'close':
        return this.#close();
    }
  }

  #listen(nodeId: string): void {
    const notices = hearing((heard) => this.#say({ told: 'heard', heard }));
    this.#unsubscribe.push(this.#backend.subscribe(nodeId, notices));
  }

  #aliveMs(): number | undefined {
    const until = this.#backend.aliveUntil?.();
    return until === undefined ? undefined : until - performance.now();
  }

  async #bump({ sessionKey, nodeId, times }: Extract<Order, { do: 'bump' }>): Promise<void> {
    const node = new TestNode(nodeId, this.#backend);
    for (let time = 0; time < times; time++) {
      const run = await node.granted(sessionKey, { mode: 'concurrent' });
      this.#say({ told: 'number', number: run.generation });
      await node.end(run);
    }
  }

  async #journal({ sessionKey, nodeId, file }: Extract<Order, { do: 'journal' }>): Promise<never> {
    const node = new TestNode(nodeId, this.#backend);
    for (;;) {
      const answer = await node.lock(sessionKey).catch(() => undefined);
      if (answer?.kind === 'granted') {
        await appendFile(file, `${answer.token} ${nodeId}\n`);
        await node.unlock(sessionKey, answer.token).catch(() => false);
      }
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 5));
    }
  }

  async #own(sessionKey: string): Promise<Owned> {
    this.#watchTurns();
    this.#control = createRunControl({ backend: this.#backend, defaults: { backendTimeoutMs: ANSWER_MS } });
    const begun = await this.#control.runs.begin({ sessionKey });
    if (begun.status !== 'started') throw new Error(`the run was not started: ${begun.status}`);
    const { run } = begun;
    run.signal.addEventListener('abort', () => {
      this.#turn();
      this.#say({ told: 'lost', reason: run.reason, sinceWakeMs: performance.now() - this.#wokeAt });
    });
    const grant = await this.#control.locks.acquire(sessionKey, { holder: run });
    this.#run = run;
    this.#grant = grant;
    return { runId: run.id, generation: run.generation, token: grant.token };
  }

  #watchTurns(): void {
    this.#turnedAt = performance.now();
    this.#turning ??= setInterval(() => this.#turn(), 5);
  }

  /** After a pause, an abort may be told before the interval is. */
  #turn(): void {
    const now = performance.now();
    if (now - this.#turnedAt > STALL_MS) this.#wokeAt = now;
    this.#turnedAt = now;
  }

  async #close(): Promise<void> {
    clearInterval(this.#turning);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#run?.complete();
    await this.#control?.drain({ graceMs: 0 });
    await this.#backend.close();
    if (parentPort !== null) {
      parentPort.unref();
      return;
    }
    process.off('disconnect', exit);
    // Once the answer is on its way nothing of the suite keeps the process alive.
    setTimeout(() => process.disconnect?.(), 50);
  }
}
