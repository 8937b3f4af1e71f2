import type { RunControl } from 'runfence';

export type Mode = 'json' | 'sse';

/** One request as the app sees it: each host does this in its own way, as its users would. */
export interface Client {
  readonly mode: Mode;
  /** The name of what the test wants to know of this request; empty for a request like any other. */
  readonly name: string;
  signal(): AbortSignal;
  /** Rejects if the client leaves in its upload. */
  body(): Promise<string>;
  /** A part of a stream. */
  write(part: string): void;
  /** The end of a stream, or the whole of an answer in one piece. Not called once the client has left. */
  end(text: string): void;
}

/** Where a request stands, and what holds it up. */
export interface Probe {
  readonly name: string;
  /** Each step of the app waits for its gate. */
  readonly gates: Readonly<Record<Step, Gate>>;
  signal: AbortSignal | undefined;
  outcome: string | undefined;
  /** How often the app wrote something although its client had left. */
  late: number;
  /** Settled when the app has nothing left to do. */
  readonly over: Gate;
  /** What the answer is filled up with, so that it does not fit into the buffers of the system. */
  readonly fill: string;
}

/** `login`: before anything is known of the client; `watched`: before the body is read; `work`: in the run; `last`: before its end. */
export type Step = 'login' | 'watched' | 'work' | 'last';

export class Gate {
  #open: () => void = () => {};
  #reach: () => void = () => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.#open = resolve;
  });
  /** Settled once somebody stands before it. */
  readonly reached: Promise<void> = new Promise((resolve) => {
    this.#reach = resolve;
  });

  open(): void {
    this.#open();
  }

  pass(): Promise<void> {
    this.#reach();
    return this.#opened;
  }
}

/** The requests that a test has a closer look at. */
export class Probes {
  readonly #probes = new Map<string, Probe>();

  /** @param held - the step at which the request is held up */
  add(name: string, held: Step | undefined, fill = ''): Probe {
    const gates = { login: new Gate(), watched: new Gate(), work: new Gate(), last: new Gate() };
    for (const [step, gate] of Object.entries(gates)) if (step !== held) gate.open();
    const probe = { name, gates, fill, signal: undefined, outcome: undefined, late: 0, over: new Gate() };
    this.#probes.set(name, probe);
    return probe;
  }

  get(name: string): Probe | undefined {
    return this.#probes.get(name);
  }

  remove(name: string): void {
    this.#probes.delete(name);
  }
}

const UNNAMED = 'a request like any other';

/** Whether a session is that of the requests that nobody has a closer look at. */
export function isUnnamed(sessionKey: string): boolean {
  return sessionKey === UNNAMED;
}

/** A chat route: it asks for the login, reads the body, and answers by a run that a hang-up stops. */
export async function answer(control: RunControl, probes: Probes, client: Client): Promise<void> {
  const probe = probes.get(client.name);
  await probe?.gates.login.pass();
  const signal = client.signal();
  if (probe !== undefined) probe.signal = signal;
  await probe?.gates.watched.pass();
  let asked = '';
  try {
    asked = await client.body();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const key = client.name === '' ? UNNAMED : client.name;
  const outcome = await control.run({ sessionKey: key, signal, whenBusy: 'concurrent' }, async (run) => {
    const write = run.fence((part: string) => {
      if (probe !== undefined && signal.aborted) probe.late += 1;
      client.write(part);
    });
    if (client.mode === 'sse') write(`data: ${asked}\n\n`);
    await untilOpen(run.signal, probe?.gates.work);
    if (client.mode === 'sse') write('data: more\n\n');
    await untilOpen(run.signal, probe?.gates.last);
    return asked + (probe?.fill ?? '');
  });
  // The run is cut: nobody is there to be told.
  if (outcome.status === 'completed') client.end(client.mode === 'sse' ? `data: ${outcome.value}\n\n` : outcome.value);
  if (probe === undefined) return;
  probe.outcome = outcome.status === 'aborted' ? outcome.reason : outcome.status;
  void probe.over.pass();
}

async function untilOpen(signal: AbortSignal, gate: Gate | undefined): Promise<void> {
  if (gate === undefined) return;
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    void gate.pass().then(resolve);
  });
}
