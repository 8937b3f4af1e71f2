import type { FileHandle } from 'node:fs/promises';
import { type DiskCall, interposed, onCall } from '../../../files/support/disk.js';

/** A call on an open file, before it is made. */
export interface HandleCall extends DiskCall {
  /** Makes half of a write, as it is left by a process that is killed in it. */
  half?(): Promise<void>;
}

/** `node:fs/promises` with the hooks, for `vi.mock`: also the calls on files that are open. */
export function interposedFiles(original: object): object {
  const functions = interposed(original) as { open(...args: unknown[]): Promise<FileHandle> };
  return { ...functions, open: async (...args: unknown[]) => hooked(String(args[0]), await functions.open(...args)) };
}

/** Files that are open and were opened with the hooks. */
const open = new Set<FileHandle>();

/** Closes what a process has left open that has died. @returns how many these were */
export async function closeLeft(): Promise<number> {
  const left = [...open];
  open.clear();
  for (const file of left) await file.close();
  return left.length;
}

function hooked(path: string, file: FileHandle): FileHandle {
  open.add(file);
  return new Proxy(file, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      return async (...args: unknown[]) => {
        const call: HandleCall = { name: `file.${name}`, path };
        const [bytes] = args;
        if (name === 'write' && bytes instanceof Buffer) {
          call.half = async () => void (await target.write(bytes, 0, bytes.length >> 1));
        }
        const after = await onCall(call);
        const result: unknown = await value.apply(target, args);
        if (name === 'close') open.delete(file);
        await after?.();
        return result;
      };
    },
  });
}
