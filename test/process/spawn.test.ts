import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunfenceError } from 'runfence';
import { type SpawnOptions, spawn } from 'runfence/process';
import { afterAll, describe, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { afterMicrotasks } from '../support/sources.js';
import { controlled, textOf } from './support.js';
import { markedProcesses } from './witness.js';

describe('an abort', () => {
  test.each([0, 1, 2, 3, 4, 5, 8, 16])('%i microtasks into the spawn kills what was started', async (count) => {
    const control = controlled();
    const run = await begin(control);
    const spawning = spawn(run, 'sleep', ['60']);
    let receipt = control.abort({ sessionKey: 'nobody' });
    await new Promise<void>((resolve) => {
      afterMicrotasks(count, () => {
        receipt = control.abort({ runId: run.id });
        resolve();
      });
    });
    run.complete();
    // A handle that was handed out before the abort is as good: its process is dead all the same.
    const answer = await spawning.then(
      (handle) => handle.exited,
      (error: RunfenceError) => error,
    );
    expect(answer).toMatchObject({ reason: 'user' });
    expect(await (await receipt).whenQuiet()).toMatchObject({ quiet: true });
    expect(markedProcesses()).toEqual([]);
  });

  test('in the tick of the spawn kills what was started, also what was to be let go: nobody has its handle', async () => {
    const control = controlled();
    const run = await begin(control);
    const spawning = spawn(run, 'sleep', ['60'], { atAbort: 'detach' });
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    await expect(spawning).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'user' });
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(markedProcesses()).toEqual([]);
  });

  test('before the spawn: nothing is started', async () => {
    const control = controlled();
    const run = await begin(control);
    await control.abort({ runId: run.id });
    run.complete();
    await expect(spawn(run, 'sleep', ['60'])).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    expect(markedProcesses()).toEqual([]);
  });
});

describe('a spawn is refused', () => {
  test('by a run that has ended', async () => {
    const run = await begin(controlled());
    run.complete();
    await expect(spawn(run, 'sleep', ['60'])).rejects.toMatchObject({ code: 'RUN_ENDED' });
  });

  test('by a run that is queued', async () => {
    const control = controlled();
    const first = await begin(control);
    const queued = await control.runs.begin({ sessionKey: 's', whenBusy: 'enqueue' });
    if (queued.status !== 'queued') throw new Error(queued.status);
    await expect(spawn(queued.run, 'sleep', ['60'])).rejects.toMatchObject({ code: 'RUN_QUEUED' });
    first.complete();
    const next = await queued.started;
    if (next.status === 'started') next.run.complete();
  });
});

describe('what cannot be started is one clear error, and nothing of it is left on the run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runfence-process-'));
  const file = join(folder, 'not-executable');
  writeFileSync(file, 'text', { mode: 0o644 });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    ['a command that does not exist', 'no-such-command-anywhere', {}, 'ENOENT', /no such command.*PATH/],
    ['a folder that does not exist', 'sleep', { cwd: join(folder, 'none') }, 'ENOENT', /working directory/],
    ['a file that is not executable', file, {}, 'EACCES', /EACCES/],
    ['a command with a null byte', 'sl\0eep', {}, 'ERR_INVALID_ARG_VALUE', /null bytes/],
  ] as const)('%s', async (_, command, options: SpawnOptions, code, message) => {
    const control = controlled();
    const run = await begin(control);
    const error = await spawn(run, command, ['60'], options).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'PROCESS_NOT_STARTED', cause: { code } });
    expect((error as Error).message).toMatch(message);
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: true });
  });
});

test('a process that could not be tied to its run does not go on without it', async () => {
  const run = await begin(controlled());
  const failure = new Error('no file descriptor');
  const attach = (): never => {
    throw failure;
  };
  Object.defineProperty(run, 'attach', { value: attach });
  await expect(spawn(run, 'sleep', ['60'])).rejects.toBe(failure);
  await expect.poll(markedProcesses).toEqual([]);
  run.complete();
});

describe('options', () => {
  test.each([
    ['an empty command', '', [], {}],
    ['arguments in one string', 'sleep', '60', {}],
    ['an argument that is no string', 'sleep', [60], {}],
    ['an unknown option', 'sleep', ['60'], { shell: true }],
    ['null', 'sleep', ['60'], null],
    ['a grace below 0', 'sleep', ['60'], { graceMs: -1 }],
    ['a grace above a minute', 'sleep', ['60'], { graceMs: 60_001 }],
    ['a grace that is no number', 'sleep', ['60'], { graceMs: Number.NaN }],
    ['an endless grace', 'sleep', ['60'], { graceMs: Number.POSITIVE_INFINITY }],
    ['a timeout of 0', 'sleep', ['60'], { timeoutMs: 0 }],
    ['a timeout that is no number', 'sleep', ['60'], { timeoutMs: Number.NaN }],
    ['a no-output timeout below 0', 'sleep', ['60'], { noOutputTimeoutMs: -1 }],
    [
      'a no-output timeout without output',
      'sleep',
      ['60'],
      { noOutputTimeoutMs: 1, stdout: 'ignore', stderr: 'inherit' },
    ],
    ['an environment that is null', 'sleep', ['60'], { env: null }],
    ['another policy', 'sleep', ['60'], { atAbort: 'pause' }],
    ['another stdin', 'sleep', ['60'], { stdin: 'inherit' }],
    ['another stdout', 'sleep', ['60'], { stdout: 1 }],
  ])('%s is refused', async (_, command, args, options) => {
    const run = await begin(controlled());
    const spawning = spawn(run, command, args as string[], options as SpawnOptions);
    await expect(spawning).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(markedProcesses()).toEqual([]);
    run.complete();
  });

  test('cwd, env and arguments arrive as they were given', async () => {
    const run = await begin(controlled());
    const env = { PATH: process.env.PATH, NAME: 'a b' };
    const child = await spawn(run, 'sh', ['-c', 'pwd; echo "$NAME" "$1" "$HOME"', 'sh', '* $x'], { cwd: '/', env });
    expect(await textOf(child.stdout)).toBe('/\na b * $x \n');
    run.complete();
  });

  test('the mark of a tree around this one is kept: whoever owns that one finds this one too', async () => {
    const run = await begin(controlled());
    const env = { PATH: process.env.PATH, RUNFENCE_PROCESS: 'outer' };
    const child = await spawn(run, 'sh', ['-c', 'echo $RUNFENCE_PROCESS'], { env });
    expect(await textOf(child.stdout)).toMatch(/^outer:[\w-]{36}\n$/);
    run.complete();
  });

  test('the mark of the tree that we run in is kept in an environment that was made anew, too', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'sh', ['-c', 'echo $RUNFENCE_PROCESS'], { env: { PATH: process.env.PATH } });
    expect(await textOf(child.stdout)).toMatch(new RegExp(`^${process.env.RUNFENCE_PROCESS}:[\\w-]{36}\n$`));
    run.complete();
  });

  test('are read once: what is changed in them later changes nothing', async () => {
    const run = await begin(controlled());
    const options: { -readonly [Name in keyof SpawnOptions]: SpawnOptions[Name] } = { graceMs: 0 };
    const child = await spawn(run, 'sleep', ['60'], options);
    options.graceMs = Number.NaN;
    options.atAbort = 'detach';
    run.complete();
    expect(await child.exited).toMatchObject({ cause: 'ended', signal: 'SIGKILL' });
  });

  test('stdin is a stream, and a write after the end rejects', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'head', ['-c', '5'], { stdin: 'pipe' });
    const writer = child.stdin?.getWriter();
    await writer?.write('hello');
    expect(await textOf(child.stdout)).toBe('hello');
    await child.exited;
    await expect(writer?.write('more').then(() => writer.write('more'))).rejects.toThrow();
    run.complete();
  });

  test('stdin is at its end by default', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'cat');
    expect(child.stdin).toBeUndefined();
    expect(await child.exited).toMatchObject({ exitCode: 0 });
    run.complete();
  });
});
