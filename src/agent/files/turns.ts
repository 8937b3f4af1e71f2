import { RunfenceError } from '../../index.js';
import type { TurnRecord, WriteAt } from '../history.js';
import { invalidHistory } from '../records.js';
import { type Change, headerOf, type Line, written } from './line.js';

/** What became of a change: `stale`: a later holder of the lock had written; `late`: the log was closed before it. */
export type Verdict = 'kept' | 'stale' | 'late';

interface Turn {
  readonly record: TurnRecord;
  readonly length: number;
}

/** What a log comes to: its lines, one after the other. The same for everybody who reads it. */
export class Turns {
  readonly #turns = new Map<string, Turn>();
  #lock: { readonly issuer: string; readonly token: number } | undefined = undefined;
  /** How much of the log the turns take, roughly. */
  length = 0;
  isClosed = false;

  /** @returns what became of a change; `undefined` for another line */
  apply(line: Line, length: number): Verdict | undefined {
    if ('close' in line) {
      this.isClosed = true;
      return undefined;
    }
    if ('format' in line) {
      this.#lock = { issuer: line.issuer, token: line.token };
      return undefined;
    }
    if (this.#lock === undefined) throw invalidHistory('the first line of a log is missing');
    if (this.isClosed) return 'late';
    if (this.#isStale(line)) return 'stale';
    this.#lock = { issuer: line.issuer, token: line.token };
    this.#change(line, length);
    return 'kept';
  }

  /** @throws `LOCK_LOST` if a later holder of the lock has written */
  check(at: WriteAt): void {
    if (this.#isStale(at)) throw lockLost();
  }

  records(): TurnRecord[] {
    return [...this.#turns.values()].map(({ record }) => record).sort((a, b) => a.order - b.order);
  }

  /** A log that comes to the same, with nothing in it that is not needed any more. */
  text(): string {
    const lock = this.#lock ?? NEVER_HELD;
    const turns = this.records().map((put): Change => ({ ...lock, id: '', put }));
    return [headerOf(lock), ...turns].map((line) => written(JSON.stringify(line))).join('');
  }

  #isStale({ issuer, token }: Pick<WriteAt, 'issuer' | 'token'>): boolean {
    return this.#lock !== undefined && issuer === this.#lock.issuer && token < this.#lock.token;
  }

  #change(change: Change, length: number): void {
    if ('remove' in change) {
      for (const runId of change.remove) this.#remove(runId);
      return;
    }
    const { put, replaces = [] } = change;
    this.#remove(put.runId);
    this.#turns.set(put.runId, { record: put, length });
    this.length += length;
    for (const runId of replaces) if (runId !== put.runId) this.#remove(runId);
  }

  #remove(runId: string): void {
    this.length -= this.#turns.get(runId)?.length ?? 0;
    this.#turns.delete(runId);
  }
}

/** Of no issuer: whoever writes first is not stale. */
const NEVER_HELD = { issuer: '', token: 0 };

export function lockLost(): RunfenceError {
  return new RunfenceError('LOCK_LOST', 'The turn was not written: a later holder of the lock has written since.');
}
