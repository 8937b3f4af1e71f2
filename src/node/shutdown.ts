import { type QuietReport, type RunControl, RunfenceError } from '../index.js';
import { type ClosableServer, ServerCloser } from './server-closer.js';

/** How a shutdown goes. */
export interface ShutdownOptions {
  /** How long runs may still end by themselves, in ms; 5 000 by default. Then they are stopped as `shutdown`. */
  readonly graceMs?: number | undefined;
  /** The signals of the process that begin it; `SIGTERM` and `SIGINT` by default. */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
}

/** A shutdown that waits for its signal. */
export interface GracefulShutdown {
  /** Settled when runs, control and server are closed, with what is left of the runs. It never rejects. */
  readonly done: Promise<QuietReport>;
  /** Does what a signal does: the first call begins, the second one shortens. */
  shutdown(): Promise<QuietReport>;
  /** Takes the handlers of the signals back; what has begun goes on. */
  dispose(): void;
}

/** What a client may take for what is still to be read, once all runs are quiet. */
const FLUSH_MS = 1_000;
const HURRIED_FLUSH_MS = 100;

/**
 * Shuts a server down in order when the process gets a signal: no new connections and no new runs, live runs may end for
 * `graceMs`, the rest is stopped as `shutdown` and tells its clients so, the control is drained, and the connections are
 * closed, upgraded ones such as WebSockets too. A second signal ends the grace at once. The third one is not ours any more,
 * and ends the process.
 *
 * It does not end the process: once nothing else is open, Node does. Close what is yours after `done`.
 *
 * @param control - is drained
 * @param server - of `node:http`, `node:https` or `node:http2`; of Fastify `app.server`. Call this before it listens: a session
 *   of HTTP/2 or a WebSocket that was opened before is not known
 * @param options - `graceMs` and `signals`
 * @returns the promise of its end, and a way to begin without a signal
 * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { createRunControl } from 'runfence';
 * import { gracefulShutdown } from 'runfence/node';
 *
 * const control = createRunControl();
 * const server = createServer((_req, res) => res.end('hello'));
 * const shutdown = gracefulShutdown(control, server, { graceMs: 3_000 });
 * await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
 *
 * void shutdown.shutdown(); // as SIGTERM does
 * const { quiet } = await shutdown.done;
 * console.assert(quiet && !server.listening);
 * ```
 */
export function gracefulShutdown(
  control: RunControl,
  server: ClosableServer,
  options: ShutdownOptions = {},
): GracefulShutdown {
  const { graceMs, signals } = checked(options);
  if (typeof control?.drain !== 'function') throw invalid('gracefulShutdown needs a control of createRunControl.');
  if (typeof server?.close !== 'function' || typeof server.on !== 'function') {
    throw invalid('gracefulShutdown needs a server of Node: of Fastify, app.server.');
  }
  const closer = new ServerCloser(server, control.clock);
  let state: 'waiting' | 'draining' | 'hurried' = 'waiting';
  let settle: (report: QuietReport) => void = () => {};
  const done = new Promise<QuietReport>((resolve) => {
    settle = resolve;
  });

  const begin = async (): Promise<void> => {
    const drained = control.drain({ graceMs });
    closer.close();
    const report = await drained;
    // The last words of runs that were stopped are on their way. A client that does not read them is not waited for.
    await closer.end(state === 'hurried' ? HURRIED_FLUSH_MS : FLUSH_MS);
    dispose();
    settle(report);
  };
  const onSignal = (): void => {
    if (state === 'waiting') {
      state = 'draining';
      void begin();
    } else if (state === 'draining') {
      state = 'hurried';
      dispose();
      void control.drain({ graceMs: 0 });
    }
  };
  const dispose = (): void => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  try {
    for (const signal of signals) process.on(signal, onSignal);
  } catch {
    dispose();
    throw invalid('signals must be such as a process can handle: SIGKILL and SIGSTOP are not.');
  }
  return {
    done,
    shutdown: () => {
      onSignal();
      return done;
    },
    dispose,
  };
}

function checked(options: ShutdownOptions): { readonly graceMs: number; readonly signals: readonly NodeJS.Signals[] } {
  const { graceMs = 5_000, signals = ['SIGTERM', 'SIGINT'], ...unknown } = options ?? {};
  const [name] = Object.keys(unknown);
  if (name !== undefined) {
    throw invalid(`gracefulShutdown options: there is no "${name.slice(0, 64)}": use graceMs, signals.`);
  }
  if (typeof graceMs !== 'number' || !(graceMs >= 0)) throw invalid('graceMs must be a number of ms, 0 or above.');
  if (!Array.isArray(signals) || signals.some((one) => typeof one !== 'string')) {
    throw invalid('signals must be an array of names, such as SIGTERM.');
  }
  // One that stands there twice would be its own second signal.
  return { graceMs, signals: [...new Set(signals)] };
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
