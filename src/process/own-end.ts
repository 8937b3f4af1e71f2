import { constants } from 'node:os';
import type { Termination } from './handle.js';

/** What a write into a process that is gone fails with, and a pipeline into it or out of it. */
const PIPE_CODES: ReadonlySet<unknown> = new Set(['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE']);
/** In words: `exited with code 143`, `code=null`, `was killed by SIGTERM`. */
const IN_WORDS =
  /(?:exit|terminat|kill|end|clos|die|fail|crash)\w*\b[^\n]{0,80}?\b(?:(?:code|status)[ :=]+(\d+|null|undefined)\b|(SIG[A-Z]+))/i;

/** The parts of an error that say how a process ended; those of another library's may be anything. */
interface Told {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly exitCode?: unknown;
  readonly status?: unknown;
  readonly signal?: unknown;
}

/**
 * Whether an error says that a process has ended as this one did, which was killed with its run. By its fields, or in
 * words: that the process was sent a signal, and how it ended, is known.
 */
export function tellsOfEnd(error: unknown, { exitCode, signal }: Termination): boolean {
  if (typeof error !== 'object' || error === null) return false;
  try {
    const told: Told = error;
    const ends = endsOf(exitCode, signal);
    if (PIPE_CODES.has(told.code) || [told.signal, told.exitCode, told.status].some((end) => ends.has(end)))
      return true;
    const [, code, name] = typeof told.message === 'string' ? (IN_WORDS.exec(told.message) ?? []) : [];
    return ends.has(name ?? (code === undefined ? undefined : (WORDS[code] ?? Number(code))));
  } catch {
    // It cannot be read, so it does not say so.
    return false;
  }
}

const NO_CODE = Symbol('no exit code');
const WORDS: Readonly<Record<string, symbol>> = { null: NO_CODE, undefined: NO_CODE };

/** A shell, and what speaks like one, turns a signal into a status. */
function endsOf(exitCode: number | undefined, signal: string | undefined): ReadonlySet<unknown> {
  if (signal === undefined) return new Set([exitCode]);
  return new Set([signal, 128 + (constants.signals[signal as NodeJS.Signals] ?? 0), NO_CODE]);
}
