import { RunfenceError } from '../index.js';
import type { History, TurnRecord, WriteAt } from './history.js';
import { frozenCopy } from './json.js';

/** How a history in memory is made. */
export interface MemoryHistoryOptions {
  /** How many sessions it keeps; the one that was not used for the longest time goes first. 10 000 by default. */
  readonly maxSessions?: number;
}

/** A session's turns, by run, and the newest token that wrote here. */
interface Session {
  readonly turns: Map<string, TurnRecord>;
  token: number;
  issuer: string;
}

const DEFAULT_MAX_SESSIONS = 10_000;

/**
 * A history in the memory of this process. It keeps frozen copies, and refuses a write under a lock that a later holder has
 * taken over.
 *
 * @param options - `maxSessions`
 * @returns the history
 * @throws `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { memoryHistory } from 'runfence/agent';
 *
 * const history = memoryHistory({ maxSessions: 1_000 });
 * console.assert((await history.read('chat-1', { signal: new AbortController().signal })).length === 0);
 * ```
 */
export function memoryHistory(options: MemoryHistoryOptions = {}): History {
  const { maxSessions = DEFAULT_MAX_SESSIONS, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) throw invalid(`memoryHistory has no option "${name}": use maxSessions.`);
  if (!(Number.isInteger(maxSessions) && maxSessions > 0)) throw invalid('maxSessions must be a whole number above 0.');
  return new MemoryHistory(maxSessions);
}

class MemoryHistory implements History {
  readonly #maxSessions: number;
  /** The one that was used last is the last. */
  readonly #sessions = new Map<string, Session>();

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions;
  }

  read(key: string): readonly TurnRecord[] {
    const session = this.#sessions.get(key);
    if (session === undefined) return [];
    this.#used(key, session);
    return [...session.turns.values()].sort((a, b) => a.order - b.order);
  }

  write(key: string, record: TurnRecord, at: WriteAt, replaces: readonly string[] = []): void {
    const copy = frozenCopy('a turn', record);
    const { turns } = this.#open(key, at);
    turns.set(copy.runId, copy);
    for (const runId of replaces) if (runId !== copy.runId) turns.delete(runId);
  }

  remove(key: string, runIds: readonly string[], at: WriteAt): void {
    const { turns } = this.#open(key, at);
    for (const runId of runIds) turns.delete(runId);
  }

  delete(key: string): void {
    this.#sessions.delete(key);
  }

  #open(key: string, { token, issuer, signal }: WriteAt): Session {
    signal.throwIfAborted();
    const session = this.#sessions.get(key) ?? { turns: new Map(), token: 0, issuer };
    if (issuer === session.issuer && token < session.token) {
      throw new RunfenceError('LOCK_LOST', 'The turn was not written: a later holder of the lock has written since.');
    }
    session.token = token;
    session.issuer = issuer;
    this.#used(key, session);
    return session;
  }

  #used(key: string, session: Session): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= this.#maxSessions) break;
      this.#sessions.delete(oldest);
    }
  }
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
