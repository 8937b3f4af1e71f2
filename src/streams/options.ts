import { type HOST, type Requester, RunfenceError } from '../index.js';
import type { StreamPosition } from './items.js';
import type { Merge } from './merge.js';

/** How the streams of a control are made. Everything has a default. */
export interface RunStreamsOptions<E> {
  /** How neighbouring events become one; by default each stands alone. */
  readonly merge?: Merge<E> | undefined;
  /** How many entries a run keeps at most; 10 000 by default. Merged events are one entry. */
  readonly maxEvents?: number | undefined;
  /**
   * How many bytes a run keeps at most; 1 MiB by default. A character counts as two bytes. The newest event is kept
   * whatever its size, while its run goes on.
   */
  readonly maxBytes?: number | undefined;
  /** How many bytes all runs keep together; 64 MiB by default. Ended runs are dropped first, the oldest before others. */
  readonly totalBytes?: number | undefined;
  /** How many subscribers there may be at a time; 100 000 by default. */
  readonly maxSubscribers?: number | undefined;
  /** What one principal may take, so that nobody flushes another's record. The host itself and `ADMIN` have no such limit. */
  readonly perPrincipal?: PrincipalLimits | undefined;
}

/** What one principal may take. */
export interface PrincipalLimits {
  /** How many bytes all runs that it owns keep together; an eighth of `totalBytes` by default. */
  readonly maxBytes?: number | undefined;
  /** How many subscribers it may be at a time; 1 000 by default. */
  readonly maxSubscribers?: number | undefined;
}

/** From where, how long, and for whom a stream is followed. */
export interface SubscribeOptions {
  /**
   * What is already there: the last `event` or `end` that was got, or its `generation` and `seq`. A plain number is a
   * `seq` of the run as it is now: it cannot tell whether the run was repeated under its id since. The beginning by default.
   */
  readonly after?: StreamPosition | number | undefined;
  /** Ends the subscription, quietly. */
  readonly signal?: AbortSignal | undefined;
  /** Who subscribes, from the host's authentication. `HOST`, or left out: the host itself. */
  readonly requester?: Requester | typeof HOST;
}

export interface Limits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly totalBytes: number;
  readonly maxSubscribers: number;
  readonly bytesPerPrincipal: number;
  readonly subscribersPerPrincipal: number;
}

const OPTIONS: readonly string[] = ['merge', 'maxEvents', 'maxBytes', 'totalBytes', 'maxSubscribers', 'perPrincipal'];
const PER_PRINCIPAL: readonly string[] = ['maxBytes', 'maxSubscribers'];
const SUBSCRIBE: readonly string[] = ['after', 'signal', 'requester'];
const MERGE = ['key', 'text', 'with'] as const;
/** So much of all may be one principal's. */
const SHARE = 8;

export function limitsOf(options: unknown): Limits {
  const given = known('createRunStreams options', options, OPTIONS);
  if (given.merge !== undefined) checkMerge(given.merge);
  const own = known('perPrincipal', given.perPrincipal === undefined ? {} : given.perPrincipal, PER_PRINCIPAL);
  const totalBytes = countOf('totalBytes', given.totalBytes, 64 << 20);
  return {
    maxEvents: countOf('maxEvents', given.maxEvents, 10_000),
    maxBytes: countOf('maxBytes', given.maxBytes, 1 << 20),
    totalBytes,
    maxSubscribers: countOf('maxSubscribers', given.maxSubscribers, 100_000),
    bytesPerPrincipal: countOf('perPrincipal.maxBytes', own.maxBytes, totalBytes / SHARE),
    subscribersPerPrincipal: countOf('perPrincipal.maxSubscribers', own.maxSubscribers, 1_000),
  };
}

/** What `after` says. */
export interface Place {
  /** `undefined`: of the run as it is now. */
  readonly generation: number | undefined;
  readonly seq: number;
}

/** What a subscriber asks for, read once. */
export interface Asked {
  readonly place: Place;
  readonly signal: AbortSignal | undefined;
  /** Left out if it was: present and `undefined` is a user whom nobody found. */
  readonly as: Pick<SubscribeOptions, 'requester'>;
}

export function checkSubscribe(runId: unknown, options: unknown): Asked {
  if (typeof runId !== 'string') throw invalid('runId must be a string.');
  const { after, signal, ...as } = known('subscribe options', options, SUBSCRIBE);
  if (signal !== undefined && !isAbortSignal(signal)) throw invalid('signal must be an AbortSignal.');
  return { place: placeOf(after), signal, as };
}

function placeOf(after: unknown): Place {
  if (after === undefined) return { generation: undefined, seq: 0 };
  const isPosition = typeof after === 'object' && after !== null;
  const { generation, seq } = isPosition ? (after as Partial<StreamPosition>) : { generation: undefined, seq: after };
  if (!isNumber(seq) || (isPosition && !isNumber(generation))) {
    throw invalid('after must be a number of 0 or above, or { generation, seq }, such as the last event that was got.');
  }
  return { generation, seq };
}

/** Event ids come from strangers. */
function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function checkMerge(merge: unknown): void {
  for (const name of MERGE) {
    if (typeof (merge as Partial<Merge<unknown>> | null)?.[name] !== 'function') {
      throw invalid(`merge.${name} must be a function.`);
    }
  }
}

function countOf(what: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !(value >= 1)) throw invalid(`${what} must be a number, 1 or above.`);
  return value;
}

function known(what: string, value: unknown, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} must be an object.`);
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) throw invalid(`${what} has no "${name.slice(0, 64)}": use ${names.join(', ')}.`);
  }
  // What a library has put on Object.prototype is not the caller's.
  return Object.assign(Object.create(null) as Record<string, unknown>, value);
}

function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { aborted?: unknown }).aborted === 'boolean' &&
    typeof (value as { addEventListener?: unknown }).addEventListener === 'function'
  );
}

export function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
