// Looks at the system by itself, so that no test takes the word of what it tests.
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

const MARK = `test-${randomUUID()}`;

/** Everything that this process starts from now on carries the mark, unless it is started without an environment. */
export function markEverything(): void {
  process.env.RUNFENCE_PROCESS = MARK;
}

/** Runs, and is no zombie. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** The pids of all that carries the mark and runs. */
export function markedProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && pid !== process.pid && readFileSync(`/proc/${pid}/environ`).includes(MARK) && isRunning(pid);
      } catch {
        return false;
      }
    });
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return 'gone';
  }
}
