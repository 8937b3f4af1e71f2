import { readFileSync } from 'node:fs';

/** Why a file of `/proc` could not be read. `hidden`: it is another user's, or protected. */
export type Unread = 'ended' | 'hidden';

/**
 * A process may end between any two steps, and some may not be looked into. Whatever else is wrong says nothing of it.
 *
 * @throws if the system could not say
 */
export function unlessUnread<T>(read: () => T): T | Unread {
  try {
    return read();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return 'ended';
    if (code === 'EACCES' || code === 'EPERM') return 'hidden';
    throw error;
  }
}

/** `undefined`: it could not be read. */
export function textOf(path: string): string | undefined {
  const text = unlessUnread(() => ({ of: readFileSync(path, 'utf8') }));
  return typeof text === 'string' ? undefined : text.of;
}
