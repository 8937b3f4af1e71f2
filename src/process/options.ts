import { constants } from 'node:os';
import { type Run, RunfenceError } from '../index.js';
import type { KillOptions } from './handle.js';

/** How a process is started, and how it is stopped. */
export interface SpawnOptions {
  /** The working directory; the host's by default. */
  readonly cwd?: string | URL;
  /**
   * The whole environment, as for `child_process`; the host's by default. `RUNFENCE_PROCESS` is added to it: by this
   * mark a process is found that has left its group and its parents. That of the tree we run in ourselves stays in it.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `ignore` by default: it reads an end of file. */
  readonly stdin?: 'ignore' | 'pipe';
  /** `pipe` by default. What is piped and not read makes the process wait once the pipe is full. */
  readonly stdout?: 'pipe' | 'ignore' | 'inherit';
  /** As `stdout`. */
  readonly stderr?: 'pipe' | 'ignore' | 'inherit';
  /**
   * What the end of the run does to it, however the run ends. `kill` (default): it is killed with all that came of it.
   * `detach`: it goes on and nobody's run stops it any more; its output is dropped.
   */
  readonly atAbort?: 'kill' | 'detach';
  /**
   * From SIGTERM to SIGKILL, in ms, 0 to 60 000; 0 sends SIGKILL at once. By default 3 000, and no more than 60 % of
   * the grace of its run.
   */
  readonly graceMs?: number;
  /** It is killed if it runs longer, in ms on the run's clock; above 0, `Infinity` means none. */
  readonly timeoutMs?: number;
  /**
   * It is killed if it writes nothing for so long, in ms on the run's clock; above 0, `Infinity` means none. Output
   * that waits for its reader is no silence.
   */
  readonly noOutputTimeoutMs?: number;
}

const KNOWN: ReadonlySet<keyof SpawnOptions> = new Set<keyof SpawnOptions>([
  'cwd',
  'env',
  'stdin',
  'stdout',
  'stderr',
  'atAbort',
  'graceMs',
  'timeoutMs',
  'noOutputTimeoutMs',
]);
const OUTPUTS: readonly unknown[] = ['pipe', 'ignore', 'inherit'];
const LONGEST_GRACE_MS = 60_000;
const DEFAULT_GRACE_MS = 3_000;
/** The rest is for the proof: a receipt that waits for the run's grace is to find it gone. */
const SHARE_OF_RUNS_GRACE = 0.6;

/** What is to be started, as it was given: read once, since what is the caller's may change, throw or call us back. */
export interface Order {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: SpawnOptions;
}

/** Nothing of the caller's runs after it. */
export function readSpawn(command: unknown, args: unknown, options: unknown): Order {
  if (typeof command !== 'string' || command.trim() === '') throw invalid('command must be a non-blank string.');
  const words: unknown = readGiven('args', () => (Array.isArray(args) ? [...args] : args));
  if (!Array.isArray(words) || !words.every((arg) => typeof arg === 'string')) {
    throw invalid('args must be an array of strings: the command line is not split, and no shell reads it.');
  }
  const given: Partial<Record<keyof SpawnOptions, unknown>> = readObject('spawn options', options, KNOWN);
  if (given.env === null || typeof (given.env ?? {}) !== 'object') throw invalid('env must be an object of strings.');
  checkOneOf('stdin', given.stdin, ['ignore', 'pipe']);
  checkOneOf('stdout', given.stdout, OUTPUTS);
  checkOneOf('stderr', given.stderr, OUTPUTS);
  checkOneOf('atAbort', given.atAbort, ['kill', 'detach']);
  checkGrace(given.graceMs);
  checkLimit('timeoutMs', given.timeoutMs);
  checkLimit('noOutputTimeoutMs', given.noOutputTimeoutMs);
  const isPiped = [given.stdout, given.stderr].some((output) => (output ?? 'pipe') === 'pipe');
  if (given.noOutputTimeoutMs !== undefined && !isPiped) {
    throw invalid('noOutputTimeoutMs needs stdout or stderr to be piped: other output is not seen.');
  }
  const env = readGiven('env', () => copyOf(given.env ?? process.env));
  return { command, args: words, options: { ...given, env } as SpawnOptions };
}

/** The variables as Node would read them, in which nothing is left that is not a string. */
function copyOf(env: object): Record<string, string> {
  const variables = Object.entries(env).filter(([, value]) => value !== undefined);
  return Object.fromEntries(variables.map(([name, value]) => [name, `${value}`]));
}

const KILL_OPTIONS: ReadonlySet<keyof KillOptions> = new Set(['graceMs'] as const);

/** How hard to kill, read once. */
export function readKill(options: unknown): KillOptions {
  const { graceMs } = readObject('kill options', options, KILL_OPTIONS);
  checkGrace(graceMs);
  return graceMs === undefined ? {} : { graceMs };
}

/** Its options, each of them read once. */
export function readObject<Name extends string>(
  what: string,
  value: unknown,
  known: ReadonlySet<Name>,
): Partial<Record<Name, unknown>> {
  if (typeof value !== 'object' || value === null) throw invalid(`${what} must be an object.`);
  const names: readonly string[] = readGiven(what, () => Object.keys(value));
  for (const name of names) {
    if (!(known as ReadonlySet<string>).has(name)) {
      throw invalid(`${what} has no option "${name.slice(0, 64)}": use ${[...known].join(', ')}.`);
    }
  }
  const given = value as Partial<Record<Name, unknown>>;
  const read = (): [string, unknown][] => [...known].map((name) => [name, given[name]]);
  return Object.fromEntries(readGiven(what, read)) as Partial<Record<Name, unknown>>;
}

function readGiven<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new RunfenceError('INVALID_OPTIONS', `${what} could not be read: see \`cause\` for what it threw.`, {
      cause,
    });
  }
}

function checkGrace(value: unknown): asserts value is number | undefined {
  if (value === undefined) return;
  if (typeof value !== 'number' || !(value >= 0 && value <= LONGEST_GRACE_MS)) {
    throw invalid(`graceMs must be a number of ms, 0 to ${LONGEST_GRACE_MS}.`);
  }
}

export function checkSignal(value: unknown): asserts value is NodeJS.Signals {
  if (typeof value === 'string' && Object.hasOwn(constants.signals, value)) return;
  throw invalid('signal must be the name of a signal of this system, such as SIGINT.');
}

export function graceFor(run: Run, { graceMs }: SpawnOptions): number {
  return graceMs ?? Math.min(DEFAULT_GRACE_MS, run.graceMs * SHARE_OF_RUNS_GRACE);
}

function checkLimit(what: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value > 0)) return;
  throw invalid(`${what} must be a number of ms above 0, or Infinity for no limit.`);
}

function checkOneOf(what: string, value: unknown, allowed: readonly unknown[]): void {
  if (value !== undefined && !allowed.includes(value)) throw invalid(`${what} must be one of ${allowed.join(', ')}.`);
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
