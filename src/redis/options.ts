import { RunfenceError } from '../index.js';

/** How Redis is used. */
export interface RedisOptions {
  /**
   * Keeps what belongs together apart from the rest: all keys begin with `{rf:<prefix>}:`. Every process that is given the
   * same one shares its sessions. 1 to 64 letters, digits, `.`, `_`, `-` or `:`; `default` by default.
   */
  readonly prefix?: string | undefined;
  /**
   * For how long in ms this process may be silent before others may take from it what they need; 15 000 by default, at
   * least 1 000. It is renewed three times in that time. The others go by this process's value, whatever their own is. A
   * process that has died is replaced after so long, and one that is cut off stops its own work 10 % earlier.
   */
  readonly leaseMs?: number | undefined;
  /**
   * For how long in ms what has ended, and stops that nobody has dropped, are kept at the most: for the case that the process which
   * would have dropped them has died. 3 600 000 (an hour) by default, at least 600 000.
   */
  readonly retainMs?: number | undefined;
  /** Told once what a server may lose, such as a `maxmemory-policy` that evicts. A warning of the process by default. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

const LEASE_MS = 15_000;
const LEAST_LEASE_MS = 1_000;
const RETAIN_MS = 3_600_000;
const LEAST_RETAIN_MS = 600_000;
const PREFIX = /^[\w.:-]{1,64}$/;

export interface ReadOptions {
  readonly prefix: string;
  readonly leaseMs: number;
  readonly retainMs: number;
  readonly onWarning: (message: string) => void;
}

export function readOptions(options: RedisOptions): ReadOptions {
  const { prefix = 'default', leaseMs = LEASE_MS, retainMs = RETAIN_MS, onWarning = warn, ...rest } = options;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw invalid(`redis has no option "${unknown.slice(0, 64)}": use prefix, leaseMs, retainMs, onWarning.`);
  }
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw invalid('prefix must be 1 to 64 letters, digits, ".", "_", "-" or ":".');
  }
  checkMs('leaseMs', leaseMs, LEAST_LEASE_MS);
  checkMs('retainMs', retainMs, LEAST_RETAIN_MS);
  if (typeof onWarning !== 'function') throw invalid('onWarning must be a function.');
  return { prefix: `{rf:${prefix}}:`, leaseMs: Math.round(leaseMs), retainMs: Math.round(retainMs), onWarning };
}

/** Longer than 24 days and a timer would fire at once. */
function checkMs(name: string, value: unknown, least: number): void {
  if (typeof value !== 'number' || !(value >= least && value <= 2 ** 31 - 1)) {
    throw invalid(`${name} must be a number of ms, at least ${least} and at most ${2 ** 31 - 1}.`);
  }
}

function warn(message: string): void {
  globalThis.process?.emitWarning?.(message, 'RunfenceWarning');
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
