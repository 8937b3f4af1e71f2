import { spawn } from 'runfence/process';
import { describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { controlled, grow, textOf, until } from './support.js';
import { isRunning } from './witness.js';

describe('a tree that is given to another run', () => {
  test('outlives the abort of the first and dies with the second, whoever left its group (G25)', async () => {
    const { control, run, handle, pids } = await grow('reparented.sh', 2);
    const other = await begin(control, { sessionKey: 'background' });
    handle.transfer(other);
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(pids.filter(isRunning)).toEqual(pids);
    const last = await control.abort({ runId: other.id });
    expect((await last.whenQuiet({ timeoutMs: 0 })).runs[0]?.leftovers).toContain(`process sh (${handle.pid})`);
    other.complete();
    expect(await last.whenQuiet()).toMatchObject({ quiet: true });
    expect(pids.filter(isRunning)).toEqual([]);
    expect(await handle.exited).toMatchObject({ cause: 'aborted' });
  });

  test('goes on being read there: the first stream ends, and no byte is lost, doubled or out of order (I9)', async () => {
    const control = controlled();
    const run = await begin(control);
    const other = await begin(control, { sessionKey: 'background' });
    const child = await spawn(run, 'seq', ['1', '200000']);
    const first = child.stdout.getReader();
    const decoder = new TextDecoder();
    let read = '';
    while (read.length < 100_000) read += decoder.decode((await first.read()).value);
    // The rest is more than fits between us: it waits for its next reader.
    child.transfer(other);
    expect(await first.read()).toEqual({ done: true, value: undefined });
    await control.abort({ runId: run.id });
    run.complete();
    const rest = await textOf(child.stdout);
    const numbers = (read + rest).split('\n');
    expect(numbers.length).toBe(200_001);
    expect(numbers.every((number, at) => number === (at < 200_000 ? String(at + 1) : ''))).toBe(true);
    other.complete();
  });

  test('while a read waits: that read ends, and the next chunk is the new stream’s', async () => {
    const control = controlled();
    const run = await begin(control);
    const other = await begin(control, { sessionKey: 'background' });
    const child = await spawn(run, 'sh', ['-c', 'read line; echo "$line"'], { stdin: 'pipe' });
    const waiting = child.stdout.getReader().read();
    child.transfer(other);
    expect(await waiting).toEqual({ done: true, value: undefined });
    await child.stdin?.getWriter().write('hello\n');
    expect(await textOf(child.stdout)).toBe('hello\n');
    run.complete();
    other.complete();
  });

  test('that is over stays where it was', async () => {
    const { control, run, handle, pids } = await grow('plain.sh', 2);
    const other = await begin(control, { sessionKey: 'background' });
    other.complete();
    expect(() => handle.transfer(other)).toThrow(expect.objectContaining({ code: 'RUN_ENDED' }));
    expect(pids.filter(isRunning)).toEqual(pids);
    run.complete();
    await until(() => pids.filter(isRunning).length === 0);
  });

  test('while it is being killed, or when it is gone, is refused', async () => {
    const { control, run, handle } = await grow('plain.sh', 2);
    const other = await begin(control, { sessionKey: 'background' });
    const killing = handle.kill();
    const refused = expect.objectContaining({ code: 'PROCESS_STOPPED' });
    expect(() => handle.transfer(other)).toThrow(refused);
    await killing;
    expect(() => handle.transfer(other)).toThrow(refused);
    run.complete();
    other.complete();
  });
});

describe('a tree that is let go at the end of its run', () => {
  test.each([
    ['an abort', 'abort'],
    ['a completion', 'complete'],
  ])('outlives %s on purpose, and can still be killed', async (_, end) => {
    const { control, run, handle, pids } = await grow('own-session.sh', 2, { atAbort: 'detach' });
    const receipt = end === 'abort' ? await control.abort({ runId: run.id }) : undefined;
    run.complete();
    if (receipt !== undefined) expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(control.runs.list()).toEqual([]);
    expect(pids.filter(isRunning)).toEqual(pids);
    expect(await handle.kill()).toMatchObject({ gone: true, survivors: [] });
    expect(pids.filter(isRunning)).toEqual([]);
    expect(await handle.exited).toMatchObject({ cause: 'killed' });
  });

  test('is not held up by output that nobody reads any more', async () => {
    const control = controlled();
    const run = await begin(control);
    const script = 'read line; head -c 1048576 /dev/zero; exit 4';
    const child = await spawn(run, 'sh', ['-c', script], { atAbort: 'detach', stdin: 'pipe' });
    await control.abort({ runId: run.id });
    run.complete();
    await child.stdin?.getWriter().write('go\n');
    expect(await child.exited).toMatchObject({ cause: 'exited', exitCode: 4 });
  });

  test('can be taken on by another run, which then kills it by its own end', async () => {
    const { control, run, handle, pids } = await grow('plain.sh', 2, { atAbort: 'detach' });
    run.complete();
    const other = await begin(control, { sessionKey: 'background' });
    handle.transfer(other);
    other.complete();
    // It was started to be let go, and is so again.
    expect(control.runs.list()).toEqual([]);
    expect(pids.filter(isRunning)).toEqual(pids);
    await handle.kill();
    expect(pids.filter(isRunning)).toEqual([]);
  });
});
