import { readFileSync } from 'node:fs';
import { marksIn } from './mark.js';
import { textOf, unlessUnread } from './proc-file.js';

/** Where the fields of proc(5) are behind the name and its bracket. */
const START_OF_CODE = 26 - 3;
const START_OF_ENVIRONMENT = 50 - 3;
const END_OF_ENVIRONMENT = 51 - 3;

/**
 * The marks that a process was started with. `ended`: it cannot be asked any more. `unknown`: it has no environment at
 * this moment, or does not show it, so that it may carry any.
 */
export type Environment = readonly string[] | 'ended' | 'unknown';

/** @throws if the system could not say */
export function environmentOf(pid: number): Environment {
  const bytes = unlessUnread(() => readFileSync(`/proc/${pid}/environ`));
  if (bytes === 'ended') return 'ended';
  if (bytes === 'hidden') {
    const own = [process.getuid?.(), process.geteuid?.()];
    return isOfOthers(textOf(`/proc/${pid}/status`) ?? '', own) ? [] : 'unknown';
  }
  if (bytes.length > 0) return marksIn(bytes);
  return wasGivenNone(textOf(`/proc/${pid}/stat`) ?? '') ? [] : 'unknown';
}

/**
 * Whether a process whose environment is empty was started with none, by its `/proc/<pid>/stat`. One that goes from one
 * program to the next has none for a moment: not before its program has begun does the place of it say where it ends.
 */
export function wasGivenNone(stat: string): boolean {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // 0 is not there yet, 1 is not shown.
  const hasBegun = Number(fields[START_OF_CODE]) > 1;
  const [start, end] = [fields[START_OF_ENVIRONMENT], fields[END_OF_ENVIRONMENT]];
  return hasBegun && start === end && Number(start) > 0;
}

/**
 * Whether a process that does not show its environment cannot be ours, by its `/proc/<pid>/status`: what we start comes
 * to belong wholly to others by programs such as `sudo`, which clear the environment. The first user's come to by a
 * mere call.
 *
 * @param own - the users that we are
 */
export function isOfOthers(status: string, own: readonly (number | undefined)[]): boolean {
  const [, users] = /^Uid:\s+(.+)$/m.exec(status) ?? [];
  return !own.includes(0) && users?.split(/\s+/).every((user) => !own.includes(Number(user))) === true;
}
