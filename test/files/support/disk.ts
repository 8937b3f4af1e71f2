import { AsyncLocalStorage } from 'node:async_hooks';

/** One call of the file system, before it is made. */
export interface DiskCall {
  readonly name: string;
  readonly path: string;
}

/** Called before each call; waits, throws, or never answers. What it returns is awaited after the call. */
export type OnDisk = (call: DiskCall) => void | Promise<void | (() => Promise<void>)>;

const hooks = new AsyncLocalStorage<OnDisk>();

/** Whatever `act` does to files, also later, goes through the hook. */
export async function onDisk<Value>(hook: OnDisk, act: () => Promise<Value>): Promise<Value> {
  // What is under way would take it along.
  await new Promise((done) => setImmediate(done));
  return hooks.run(hook, act);
}

/** What the hook of whoever calls says to a call. */
export async function onCall(call: DiskCall): Promise<void | (() => Promise<void>)> {
  return hooks.getStore()?.(call);
}

type Functions = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** `node:fs/promises` with the hooks, for `vi.mock`. */
export function interposed(original: object): object {
  const functions = original as Functions;
  const wrapped: Functions = {};
  for (const [name, call] of Object.entries(functions)) {
    if (typeof call !== 'function') continue;
    wrapped[name] = async (...args) => {
      const target = name === 'symlink' || name === 'link' ? args[1] : args[0];
      const after = await onCall({ name, path: String(target) });
      const value = await call(...args);
      await after?.();
      return value;
    };
  }
  return { ...original, ...wrapped };
}

/** The error of a system call. */
export function diskError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code });
}
