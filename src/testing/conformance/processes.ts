import type { Backend, Notices } from '../../backend/index.js';
import type { BackendMethod } from '../faulty-backend.js';
import { type Heard, tellAgain } from './heard.js';
import type { ConformanceProcess, ConformanceThread } from './options.js';
import type { Answered, Asked, Order, Owned, Report } from './orders.js';

type Signal = Parameters<ConformanceProcess['kill']>[0];

const START_MS = 25_000;

/** The other end: a process or a thread. */
interface Line {
  send(asked: Asked): void;
  signal(name: Signal): void;
  end(): unknown;
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | string>;
}

/** Another process on the store, which does what it is told. */
export class TestProcess {
  readonly name: string;
  /** Every number that it told, in order. */
  readonly numbers: number[] = [];
  readonly ended: Promise<number | string>;
  readonly #line: Line;
  readonly #waiting: Map<number, { resolve(value: unknown): void; reject(error: Error): void }> = new Map();
  readonly #reports: Report[] = [];
  readonly #listeners: Map<string, (heard: Heard) => void> = new Map();
  #asked = 0;
  #hasEnded = false;

  constructor(line: Line, name: string) {
    this.name = name;
    this.#line = line;
    this.ended = line.ended;
    void line.ended.then((how) => {
      this.#hasEnded = true;
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended: ${how}`));
    });
  }

  told<Told extends Report['told']>(what: Told): Extract<Report, { told: Told }> | undefined {
    return this.#reports.find((report) => report.told === what) as Extract<Report, { told: Told }> | undefined;
  }

  /** @throws when the process ends before it answers, or what it did has thrown */
  order(order: Order): Promise<unknown> {
    if (this.#hasEnded) return Promise.reject(new Error(`${this.name} has ended`));
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#line.send({ id, order });
    });
  }

  /** A run of that process, with the session's lock. */
  own(sessionKey: string): Promise<Owned> {
    return this.order({ do: 'own', sessionKey }) as Promise<Owned>;
  }

  /** Its backend, to be called from here. What it is sent is cloned: `ADMIN` does not go along. */
  get backend(): Backend {
    const call = <T>(method: BackendMethod, argument?: unknown): Promise<T> =>
      this.order({ do: 'call', method, argument }) as Promise<T>;
    return {
      scope: this.told('ready')?.scope ?? 'host',
      synchronous: false,
      claim: (request) => call('claim', request),
      stop: (request) => call('stop', request),
      stopEverywhere: (request) => call('stopEverywhere', request),
      end: (request) => call('end', request),
      announce: (request) => call('announce', request),
      lock: (request) => call('lock', request),
      unlock: (request) => call('unlock', request),
      check: (request) => call('check', request),
      readSession: (request) => call('readSession', request),
      readRun: (request) => call('readRun', request),
      readNode: (nodeId) => call('readNode', nodeId),
      readActive: () => call('readActive'),
      readStops: () => call('readStops'),
      forget: (request) => call('forget', request),
      subscribe: (nodeId, notices) => this.#subscribe(nodeId, notices),
      // The process closes its backend at its own end.
      close: () => {},
    };
  }

  signal(name: Signal): void {
    this.#line.signal(name);
  }

  /** Ends it without a word, and waits until it is gone. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) await this.#line.end();
    await this.ended;
  }

  /** What came from the other end. */
  arrived(message: Report | Answered): void {
    if ('told' in message) {
      if (message.told === 'number') this.numbers.push(message.number);
      else if (message.told === 'heard') for (const hear of this.#listeners.values()) hear(message.heard);
      else this.#reports.push(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) {
      const { message: text, code } = message.error;
      waiting?.reject(Object.assign(new Error(`${this.name}: ${text}`), { code }));
    } else waiting?.resolve(message.value);
  }

  #subscribe(nodeId: string, notices: Notices): () => void {
    this.#listeners.set(nodeId, (heard) => tellAgain(heard, notices));
    this.order({ do: 'listen', nodeId }).catch(() => {});
    return () => this.#listeners.delete(nodeId);
  }
}

export function startProcess(child: ConformanceProcess, name: string): Promise<TestProcess> {
  const started = new TestProcess(
    {
      send: (asked) => child.send(asked, () => {}),
      signal: (signal) => child.kill(signal),
      end: () => child.kill('SIGKILL'),
      ended: new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? String(signal)))),
    },
    name,
  );
  child.on('message', (message) => started.arrived(message as Report | Answered));
  return ready(started);
}

export function startThread(worker: ConformanceThread, name: string): Promise<TestProcess> {
  const started = new TestProcess(
    {
      send: (asked) => worker.postMessage(asked),
      signal: () => {},
      end: () => worker.terminate(),
      ended: new Promise((resolve) => {
        worker.once('error', (error) => resolve(error.message));
        worker.once('exit', resolve);
      }),
    },
    name,
  );
  worker.on('message', (message) => started.arrived(message as Report | Answered));
  return ready(started);
}

async function ready(started: TestProcess): Promise<TestProcess> {
  const deadline = performance.now() + START_MS;
  while (started.told('ready') === undefined) {
    const how = await Promise.race([started.ended, new Promise<undefined>((resolve) => setTimeout(resolve, 5))]);
    if (how !== undefined) throw new Error(`${started.name} ended before it was ready: ${how}`);
    if (performance.now() > deadline) {
      await started.kill();
      throw new Error(`${started.name} was not ready in ${START_MS} ms: does its script call obeyConformance?`);
    }
  }
  return started;
}
