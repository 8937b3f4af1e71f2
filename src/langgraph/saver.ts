import type { Run } from '../index.js';
import type { LangGraphSaver } from './sdk.js';

/**
 * A checkpointer for one run: what it writes, it writes under the session's lock, and after the cut it refuses to. A write
 * that had started ends, and the epilogue, in which `closeThread` mends the thread, comes behind it.
 *
 * @param run - the run
 * @param saver - the checkpointer, which is not changed
 * @returns it, for `compile({ checkpointer })` or `createAgent({ checkpointer })`. Its writes reject with the abort error of
 *   a run that was stopped
 */
export function fencedCheckpointer<S extends LangGraphSaver>(run: Run, saver: S): S {
  return new Proxy(saver, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
      return WRITES.includes(key) ? (...args: unknown[]) => run.commit(() => call(...args)) : call;
    },
  });
}

const WRITES: readonly (string | symbol)[] = ['put', 'putWrites', 'deleteThread'];
