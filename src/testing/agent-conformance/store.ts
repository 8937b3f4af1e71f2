import { type History, memoryHistory, type TurnRecord, type WriteAt } from '../../agent/index.js';
import type { Points } from './points.js';

/** What a store does to a call. */
export type StoreFault = 'down' | 'lost answer' | Promise<void>;

/** A history in memory that fails, waits, or loses its answer when it is told to. */
export class ConformanceHistory implements History {
  readonly #over: History = memoryHistory();
  readonly #points: Points | undefined;
  readonly #faults: Record<'read' | 'write', StoreFault[]> = { read: [], write: [] };

  constructor(points?: Points) {
    this.#points = points;
  }

  /** What becomes of the next calls. */
  next(method: 'read' | 'write', ...faults: StoreFault[]): void {
    this.#faults[method].push(...faults);
  }

  read(key: string, options: { readonly signal: AbortSignal }): Promise<readonly TurnRecord[]> {
    return this.#call('read', () => this.#over.read(key, options));
  }

  write(key: string, record: TurnRecord, at: WriteAt, replaces?: readonly string[]): Promise<void> {
    return this.#call('write', () => this.#over.write(key, record, at, replaces));
  }

  async remove(key: string, runIds: readonly string[], at: WriteAt): Promise<void> {
    await this.#over.remove(key, runIds, at);
  }

  async delete(key: string): Promise<void> {
    await this.#over.delete(key);
  }

  #call<T>(method: 'read' | 'write', call: () => T | PromiseLike<T>): Promise<T> {
    const made = async (): Promise<T> => {
      const fault = this.#faults[method].shift();
      if (fault === 'down') throw new Error(`the store is down (${method})`);
      if (fault instanceof Promise) await fault;
      const answer = await call();
      if (fault === 'lost answer') throw new Error(`the answer of the store was lost (${method})`);
      return answer;
    };
    return this.#points === undefined ? made() : this.#points.around(`history.${method}`, made)();
  }
}
