import { type History, memoryHistory, type TurnRecord, type WriteAt } from 'runfence/agent';
import { type Gate, gate } from '../../support/work.js';

type Method = 'read' | 'write';
type Fault = 'throws' | 'hangs' | 'loses its answer' | { readonly held: Gate };

/** A history that fails, hangs, waits or loses an answer, as often as it is told to. */
export class FaultyHistory implements History {
  readonly #over: History = memoryHistory();
  readonly #faults: { readonly method: Method; readonly fault: Fault }[] = [];
  /** Every write that took effect: which run, and as what. */
  readonly writes: string[] = [];
  /** Told at each call. */
  onCall: (method: Method) => void = () => {};
  /** What `read` gives instead of turns. */
  garbage: unknown;

  /** The next call of a method; said twice, the next two. */
  next(method: Method, fault: Fault): this {
    this.#faults.push({ method, fault });
    return this;
  }

  /** The next call of a method waits until the gate opens. */
  hold(method: Method): Gate {
    const held = gate();
    this.next(method, { held });
    return held;
  }

  async #faulty<T>(method: Method, call: () => T | Promise<T>): Promise<T> {
    this.onCall(method);
    const at = this.#faults.findIndex((one) => one.method === method);
    const [one] = at < 0 ? [] : this.#faults.splice(at, 1);
    const fault = one?.fault;
    if (fault === 'throws') throw new Error(`${method}: the store is down`);
    if (fault === 'hangs') return new Promise(() => {});
    if (typeof fault === 'object') await fault.held.promise;
    const result = await call();
    if (fault === 'loses its answer') throw new Error(`${method}: connection reset`);
    return result;
  }

  read(key: string, options: { readonly signal: AbortSignal }): Promise<readonly TurnRecord[]> {
    return this.#faulty('read', () => (this.garbage ?? this.#over.read(key, options)) as readonly TurnRecord[]);
  }

  write(key: string, record: TurnRecord, at: WriteAt, replaces?: readonly string[]): Promise<void> {
    return this.#faulty('write', async () => {
      await this.#over.write(key, record, at, replaces);
      this.writes.push(`${record.state} ${JSON.stringify(record.incoming.at(0) ?? null)}`);
    });
  }

  async remove(key: string, runIds: readonly string[], at: WriteAt): Promise<void> {
    await this.#over.remove(key, runIds, at);
  }

  async delete(key: string): Promise<void> {
    await this.#over.delete(key);
  }
}
