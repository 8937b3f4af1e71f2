import { type ProcessHandle, type SpawnOptions, spawn } from 'runfence/process';
import { FakeClock } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { controlled, grow, until } from './support.js';
import { commandOf, isRunning } from './witness.js';

async function shell(script: string, options: SpawnOptions = {}, clock?: FakeClock) {
  const control = controlled(clock === undefined ? {} : { clock });
  const run = await begin(control);
  return { control, run, child: await spawn(run, 'sh', ['-c', script], options) };
}

/** Reads until a line has come, so that the process is where the test wants it. */
async function hears(child: ProcessHandle, line: string): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toBe(`${line}\n`);
  return reader;
}

describe('the cause', () => {
  test('of an exit is `exited`, with the code (G21)', async () => {
    const { run, child } = await shell('exit 5');
    expect(await child.exited).toEqual({ cause: 'exited', reason: undefined, exitCode: 5, signal: undefined });
    run.complete();
  });

  test('of somebody else’s signal is `exited`, with the signal', async () => {
    const { run, child } = await shell('kill -USR1 $$');
    expect(await child.exited).toEqual({ cause: 'exited', reason: undefined, exitCode: undefined, signal: 'SIGUSR1' });
    run.complete();
  });

  test('that came first stays: an abort after a kill, a kill after an abort, an exit code after both (I10)', async () => {
    const script = 'trap "sleep 0.02; exit 9" TERM; echo ready; while :; do sleep 0.01; done';
    for (const [first, cause] of [
      ['kill', 'killed'],
      ['abort', 'aborted'],
    ] as const) {
      const { control, run, child } = await shell(script);
      await hears(child, 'ready');
      const abort = () => control.abort({ runId: run.id });
      if (first === 'abort') await abort();
      const killing = child.kill();
      if (first === 'kill') await abort();
      run.complete();
      await killing;
      expect(await child.exited).toMatchObject({ cause, exitCode: 9 });
    }
  });

  test('of a process that has exited is not rewritten by a kill or by the end of its run', async () => {
    const { run, child } = await shell('exit 0');
    const first = await child.exited;
    expect(await child.kill()).toMatchObject({ gone: true, survivors: [] });
    run.complete();
    expect(await child.exited).toBe(first);
    expect(first.cause).toBe('exited');
  });

  test('of a process that has exited before the kill is `exited`, also if Node has not told of it yet', async () => {
    const { run, child } = await shell('exit 6');
    const end = performance.now() + 20_000;
    // Without a turn of the event loop, so that it stays a zombie.
    while (isRunning(child.pid) && performance.now() < end);
    expect(await child.kill()).toMatchObject({ gone: true });
    expect(await child.exited).toMatchObject({ cause: 'exited', exitCode: 6 });
    run.complete();
  });

  test.each(Array.from({ length: 20 }, (_, at) => at))(
    'is one of both when an exit races with a kill (%i)',
    async (at) => {
      const { run, child } = await shell('echo ready; exit 0');
      await hears(child, 'ready');
      for (const end = performance.now() + at / 10; performance.now() < end; );
      expect(await child.kill({ graceMs: 0 })).toMatchObject({ gone: true, survivors: [] });
      const { cause, exitCode, signal } = await child.exited;
      if (signal === undefined) expect({ cause, exitCode }).toMatchObject({ exitCode: 0 });
      else expect({ cause, signal }).toEqual({ cause: 'killed', signal: 'SIGKILL' });
      run.complete();
    },
  );
});

describe('a timeout', () => {
  test('kills the tree when its time is over on the run’s clock, and not before (G22)', async () => {
    const clock = new FakeClock();
    const { run, handle, pids } = await grow('own-session.sh', 2, { timeoutMs: 5_000 }, controlled({ clock }));
    await clock.advance(4_999);
    expect(pids.filter(isRunning)).toEqual(pids);
    await clock.advance(1);
    expect(await handle.exited).toMatchObject({ cause: 'timed-out', signal: 'SIGTERM' });
    await until(() => pids.filter(isRunning).length === 0);
    expect(run.isCurrent()).toBe(true);
    run.complete();
  });

  test('that is longer than a platform timer can be does not fire early', async () => {
    const clock = new FakeClock();
    const { run, child } = await shell('exec sleep 60', { timeoutMs: 2 ** 31 + 10 }, clock);
    await clock.advance(2 ** 31 + 9);
    expect(isRunning(child.pid)).toBe(true);
    await clock.advance(1);
    expect(await child.exited).toMatchObject({ cause: 'timed-out' });
    run.complete();
  });

  test('is nothing that is left once the process has ended', async () => {
    const clock = new FakeClock();
    const { run, child } = await shell('exit 0', { timeoutMs: 5_000, noOutputTimeoutMs: 4_000 }, clock);
    await child.exited;
    expect(clock.pending).toBe(0);
    run.complete();
  });
});

describe('a no-output timeout', () => {
  test('starts anew with each output, on either stream', async () => {
    const clock = new FakeClock();
    const script = 'echo ready; read a; echo one >&2; read b; echo two; exec sleep 60';
    const { run, child } = await shell(script, { noOutputTimeoutMs: 1_000, stdin: 'pipe' }, clock);
    const writer = child.stdin?.getWriter();
    const [out, err] = [child.stdout.getReader(), child.stderr.getReader()];
    await out.read();
    for (const reader of [err, out]) {
      await clock.advance(900);
      await writer?.write('\n');
      await reader.read();
    }
    await clock.advance(999);
    expect(isRunning(child.pid)).toBe(true);
    await clock.advance(1);
    expect(await child.exited).toMatchObject({ cause: 'silent' });
    run.complete();
  });

  test('is not the fault of a process whose reader is slow, and counts from the read', async () => {
    const clock = new FakeClock();
    const { run, child } = await shell('echo ready; exec sleep 60', { noOutputTimeoutMs: 1_000 }, clock);
    // It has written: its output is in the pipe, and two turns of the event loop later it is here.
    await until(() => commandOf(child.pid) === 'sleep 60');
    for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(5_000);
    expect(isRunning(child.pid)).toBe(true);
    await hears(child, 'ready');
    await clock.advance(999);
    expect(isRunning(child.pid)).toBe(true);
    await clock.advance(1);
    expect(await child.exited).toMatchObject({ cause: 'silent' });
    run.complete();
  });
});

describe('one signal', () => {
  test.each(['SIGNOTHING', 'SIGtoString', '', 9])('%j is refused', async (signal) => {
    const { run, child } = await shell('exec sleep 60');
    const refused = expect.objectContaining({ code: 'INVALID_OPTIONS' });
    expect(() => child.signal(signal as 'SIGINT')).toThrow(refused);
    expect(isRunning(child.pid)).toBe(true);
    run.complete();
    await child.exited;
  });

  test('goes to the whole group, and nothing follows it (G15)', async () => {
    const { run, handle, pids, text } = await grow('deaf.sh', 2);
    const deaf = (): boolean => /^deaf/m.test(text());
    expect(handle.signal('SIGTERM')).toBe(true);
    await until(deaf);
    await handle.exited;
    await until(() => pids.filter(isRunning).length === 1);
    // The leader was reaped: whose its number is by now takes more than a signal to find out.
    expect(handle.signal('SIGKILL')).toBe(false);
    expect(pids.filter(isRunning)).toHaveLength(1);
    expect(await handle.kill({ graceMs: 0 })).toMatchObject({ gone: true });
    expect(pids.filter(isRunning)).toEqual([]);
    expect(await handle.exited).toMatchObject({ cause: 'exited', signal: 'SIGTERM' });
    run.complete();
  });
});
