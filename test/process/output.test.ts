import { readdirSync, readFileSync } from 'node:fs';
import { spawn } from 'runfence/process';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LinuxTable } from '../../src/process/linux-table.js';
import { begin } from '../support/begin.js';
import { controlled, grow, textOf, until } from './support.js';
import { isRunning } from './witness.js';

const MIB = 1_024 * 1_024;

/** Bytes that were read from pipes and are still held, collected garbage aside. */
function held(): number {
  globalThis.gc?.();
  return process.memoryUsage().arrayBuffers;
}

/** Has written, and does not write any more. */
async function writesNothing(pid: number): Promise<boolean> {
  const written = (): string | undefined => /wchar: ([1-9]\d*)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1];
  const before = written();
  await new Promise((resolve) => setTimeout(resolve, 30));
  return before !== undefined && written() === before;
}

describe('output', () => {
  test('of any size, read slowly, arrives whole and takes a bounded memory', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'head', ['-c', String(64 * MIB), '/dev/zero']);
    const before = held();
    let [bytes, chunks, most, largest] = [0, 0, 0, 0];
    for await (const chunk of child.stdout) {
      bytes += chunk.length;
      largest = Math.max(largest, chunk.length);
      // Slow: the process is ahead of its reader all the time.
      if (++chunks % 64 === 0) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        most = Math.max(most, held() - before);
      }
    }
    expect(bytes).toBe(64 * MIB);
    expect(largest).toBeLessThanOrEqual(MIB / 4);
    expect(most).toBeLessThan(8 * MIB);
    expect(await child.exited).toMatchObject({ exitCode: 0 });
    run.complete();
  });

  test('without end that nobody reads takes a bounded memory, and the process is killed all the same', async () => {
    const control = controlled();
    const run = await begin(control);
    const before = held();
    const child = await spawn(run, 'yes', ['x'.repeat(1_000)]);
    // It has filled the pipe, and waits in its write.
    await expect.poll(() => writesNothing(child.pid), { timeout: 30_000, interval: 5 }).toBe(true);
    expect(held() - before).toBeLessThan(MIB);
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(isRunning(child.pid)).toBe(false);
  });

  test('whose reader has stopped reading does not hold up a process that ends politely', async () => {
    const control = controlled();
    const run = await begin(control);
    // At SIGTERM it says a last megabyte before it exits: that needs somebody who takes it.
    const script = 'trap "head -c 1048576 /dev/zero; exit 7" TERM; echo ready; while :; do sleep 0.01; done';
    const child = await spawn(run, 'sh', ['-c', script], { graceMs: 60_000 });
    const reader = child.stdout.getReader();
    await reader.read();
    await control.abort({ runId: run.id });
    run.complete();
    expect(await child.exited).toMatchObject({ cause: 'aborted', exitCode: 7 });
  });

  test('is cut with its run: a read that waits rejects with the abort, and nothing is read after it', async () => {
    const control = controlled();
    const run = await begin(control);
    const child = await spawn(run, 'sh', ['-c', 'echo one; sleep 60']);
    const reader = child.stdout.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('one\n');
    const waiting = reader.read();
    const aborted = control.abort({ runId: run.id });
    await expect(waiting).rejects.toBe(run.signal.reason);
    await expect(reader.read()).rejects.toBe(run.signal.reason);
    await aborted;
    run.complete();
    await child.exited;
  });

  test('that was written before the cut and not read is not delivered after it', async () => {
    const control = controlled();
    const run = await begin(control);
    const child = await spawn(run, 'sh', ['-c', 'echo one; echo two >&2']);
    await child.exited;
    await control.abort({ runId: run.id });
    await expect(textOf(child.stdout)).rejects.toBe(run.signal.reason);
    await expect(textOf(child.stderr)).rejects.toBe(run.signal.reason);
    run.complete();
  });

  test('that was written before the exit is there after it', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'sh', ['-c', 'echo one; echo two >&2']);
    await child.exited;
    expect(await textOf(child.stdout)).toBe('one\n');
    expect(await textOf(child.stderr)).toBe('two\n');
    run.complete();
  });

  test('that is cancelled is dropped from there on, and the process goes on', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'sh', ['-c', 'echo ready; head -c 1048576 /dev/zero; exit 3']);
    for await (const _ of child.stdout) break;
    expect(await child.exited).toMatchObject({ cause: 'exited', exitCode: 3 });
    run.complete();
  });

  test('that is held open by what was left in the background ends with that', async () => {
    const { run, handle, pids, text } = await grow('background.sh', 2);
    await handle.exited;
    expect(text()).toContain('leaf');
    await handle.kill();
    expect(pids.filter(isRunning)).toEqual([]);
    run.complete();
  });

  test('that is not piped is an empty stream', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'echo', ['one'], { stdout: 'ignore', stderr: 'ignore' });
    expect(await textOf(child.stdout)).toBe('');
    expect(await textOf(child.stderr)).toBe('');
    run.complete();
  });

  test('that was empty and that nobody read leaves nothing on a run that goes on', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    const run = await begin(controlled());
    const watch = vi.spyOn(run as never, 'watch');
    const unwatch = vi.spyOn(run as never, 'unwatch');
    const child = await spawn(run, 'true');
    await child.exited;
    await until(() => descriptors() <= before);
    expect(watch).toHaveBeenCalledTimes(2);
    expect(unwatch).toHaveBeenCalledTimes(2);
    expect(await textOf(child.stdout)).toBe('');
    run.complete();
  });

  test('that is held open by somebody who is not found is closed once the tree is gone and its run is over', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    const { run, handle, pids } = await grow('escaped.sh', 2);
    const escaped = pids.find((pid) => isRunning(pid) && new LinuxTable().entry(pid)?.session !== handle.pid) as number;
    onTestFinished(() => void process.kill(escaped, 'SIGKILL'));
    // From here on nothing links it to the tree.
    await until(() => new LinuxTable().entry(new LinuxTable().entry(escaped)?.parent ?? 0)?.session !== handle.pid);
    expect(await handle.kill()).toMatchObject({ gone: true });
    expect(isRunning(escaped)).toBe(true);
    run.complete();
    await until(() => descriptors() <= before);
  });

  test('that nobody read leaves no file descriptor once the run is over', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    const run = await begin(controlled());
    const children = [];
    for (let count = 0; count < 10; count++) children.push(await spawn(run, 'echo', ['one']));
    expect(descriptors()).toBeGreaterThan(before);
    for (const child of children) await child.exited;
    run.complete();
    await until(() => descriptors() <= before);
  });
});
