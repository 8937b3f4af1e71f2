import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Run } from '../index.js';
import type { ProcessHandle } from './handle.js';
import { marked, markOfRun } from './mark.js';
import { notStarted } from './not-started.js';
import { type Order, readSpawn, type SpawnOptions } from './options.js';
import { OwnedProcess } from './owned-process.js';
import { HAS_GROUPS, treeOf } from './platform.js';

/**
 * Starts a process that dies with its run: check, start and attachment happen in one tick, so that no abort can miss it.
 * When the run ends, however it ends, the process and all that came of it are killed (see {@link SpawnOptions.atAbort}),
 * and the run is not quiet before a look at all processes has found nothing of them. What could not be killed is named
 * in the receipt.
 *
 * @param run - the run that owns it
 * @param command - an executable, by its path or by its name in `PATH`. No shell is involved
 * @param args - its arguments
 * @param options - how it is started, and how it is stopped
 * @returns the handle, once the process runs
 * @throws `INVALID_OPTIONS`
 * @throws `PROCESS_NOT_STARTED` if there is no such command or folder, or the system refuses it; `cause` is its error,
 *   without arguments and environment: they may hold secrets
 * @throws `RUN_ABORTED`, `RUN_ENDED` or `RUN_QUEUED` if the run is not current: then nothing was started, or what was
 *   started is being killed
 *
 * @example
 * ```ts
 * import { createRunControl } from 'runfence';
 * import { spawn } from 'runfence/process';
 *
 * const control = createRunControl();
 * const outcome = control.run({ sessionKey: 'chat-1' }, async (run) => {
 *   const child = await spawn(run, 'sh', ['-c', 'echo ready; sleep 60 & sleep 60']);
 *   const decoder = new TextDecoder();
 *   for await (const bytes of child.stdout) {
 *     const text = decoder.decode(bytes, { stream: true });
 *     if (text.includes('ready')) void control.abort({ sessionKey: 'chat-1' });
 *   }
 * });
 * const stopped = await outcome;
 * const report = stopped.status === 'aborted' ? await stopped.whenQuiet() : undefined;
 * console.assert(report?.quiet === true); // both sleeps and their shell are gone
 * ```
 */
export async function spawn(
  run: Run,
  command: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Promise<ProcessHandle> {
  // All that is the caller's is read before the check: a getter may end the run.
  const order = readSpawn(command, args, options);
  run.throwIfStale();
  const mark = randomUUID();
  // What is to outlive its run is not ended with it by anybody else either.
  const child = start(order, order.options.atAbort === 'detach' ? mark : `${markOfRun(run)}:${mark}`);
  if (child.pid === undefined) {
    const [error] = await once(child, 'error').catch((thrown: unknown) => [thrown]);
    throw notStarted(order, error);
  }
  const owned = own(run, order, child, mark);
  await once(child, 'spawn');
  run.throwIfStale();
  owned.handOut();
  return owned;
}

function own(run: Run, { command, options }: Order, child: ChildProcess, mark: string): OwnedProcess {
  try {
    return new OwnedProcess(run, command, child, treeOf(child, mark), options);
  } catch (error) {
    // Nobody would ever stop it. In this tick its pid is still its own, and so is its group.
    if (HAS_GROUPS) process.kill(-(child.pid as number), 'SIGKILL');
    else child.kill('SIGKILL');
    throw error;
  }
}

function start(order: Order, mark: string): ChildProcess {
  const { cwd, env = {}, stdin = 'ignore', stdout = 'pipe', stderr = 'pipe' } = order.options;
  try {
    return spawnChild(order.command, order.args, {
      cwd,
      env: marked(env, mark),
      stdio: [stdin, stdout, stderr],
      detached: HAS_GROUPS,
      windowsHide: true,
    });
  } catch (error) {
    throw notStarted(order, error);
  }
}
