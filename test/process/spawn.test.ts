import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { RunfenceError } from 'runfence';
import { type SpawnOptions, spawn } from 'runfence/process';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { marked } from '../../src/process/mark.js';
import { readSpawn } from '../../src/process/options.js';
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

  test('in the tick of the spawn kills what was started, also what was to be let go: nobody has its handle (G24)', async () => {
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

describe('no secret is in the error of a process that was not started', () => {
  const SECRET = 'sk-0123456789';
  const tooLong = `${SECRET}${'x'.repeat(300_000)}`;

  test.each([
    ['an argument, where the command does not exist', 'no-such-command-anywhere', [SECRET], {}, 'ENOENT'],
    ['an argument, where the folder does not exist', 'sleep', [SECRET], { cwd: '/no/such/folder' }, 'ENOENT'],
    ['an argument with a null byte', 'sleep', ['60', `${SECRET}\0`], {}, 'ERR_INVALID_ARG_VALUE'],
    ['a variable with a null byte', 'sleep', ['60'], { env: { TOKEN: `${SECRET}\0` } }, 'ERR_INVALID_ARG_VALUE'],
    ['an argument that is too long', 'sleep', [tooLong], {}, 'E2BIG'],
    ['a variable that is too long', 'sleep', ['60'], { env: { TOKEN: tooLong } }, 'E2BIG'],
  ] as const)('%s', async (_, command, args, options: SpawnOptions, code) => {
    const run = await begin(controlled());
    const error = await spawn(run, command, args, options).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'PROCESS_NOT_STARTED', cause: { code } });
    const seen = inspect(error, { depth: 10, showHidden: true, maxStringLength: null });
    expect(seen).not.toContain(SECRET);
    expect(seen).not.toContain('spawnargs');
    run.complete();
  });
});

test('a process that could not be tied to its run does not go on without it, nor does what it has started', async () => {
  const run = await begin(controlled());
  const failure = new Error('no file descriptor');
  const attach = (): never => {
    const end = performance.now() + 20_000;
    while (markedProcesses().length < 2 && performance.now() < end);
    throw failure;
  };
  Object.defineProperty(run, 'attach', { value: attach });
  await expect(spawn(run, 'sh', ['-c', 'sleep 60 & sleep 60'])).rejects.toBe(failure);
  await expect.poll(markedProcesses).toEqual([]);
  run.complete();
});

describe('what the caller gives', () => {
  const thrown = new Error('not now');
  const throwing = (name: string): object => {
    const get = (): never => {
      throw thrown;
    };
    return Object.defineProperty({}, name, { get, enumerable: true });
  };
  const revoked = (): never => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy as never;
  };

  test.each([
    ['args', () => Object.assign(['60'], { [Symbol.iterator]: () => throwing('next') })],
    ['spawn options', () => throwing('cwd')],
    ['env', () => ({ env: throwing('TOKEN') })],
    ['env', () => ({ env: { TOKEN: throwing('toString') } })],
    ['env', () => ({ env: { TOKEN: Symbol('token') } })],
    ['env', () => ({ env: revoked() })],
    ['spawn options', revoked],
  ])('%s: what cannot be read is one clear error, and nothing is started', async (what, make) => {
    const run = await begin(controlled());
    const given = make();
    const spawning =
      what === 'args' ? spawn(run, 'sleep', given as string[]) : spawn(run, 'sleep', ['60'], given as SpawnOptions);
    await expect(spawning).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(what) });
    expect(markedProcesses()).toEqual([]);
    run.complete();
  });

  test('that ends the run while it is read: nothing is started', async () => {
    const control = controlled();
    const run = await begin(control);
    const env = {
      get TOKEN(): string {
        void control.abort({ runId: run.id });
        return 'x';
      },
    };
    const started = vi.spyOn(run, 'attach');
    await expect(spawn(run, 'sleep', ['60'], { env })).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    expect(started).not.toHaveBeenCalled();
    run.complete();
  });

  test('is read once, so that what was checked is what is used', async () => {
    const run = await begin(controlled());
    let reads = 0;
    const options: SpawnOptions = {
      get graceMs(): number {
        return reads++ === 0 ? 0 : Number.NaN;
      },
    };
    const child = await spawn(run, 'sleep', ['60'], options);
    expect(await child.kill()).toMatchObject({ gone: true });
    expect(reads).toBe(1);
    run.complete();
  });

  test('is its own alone: what others have put on all objects is no option and no variable', () => {
    Object.assign(Object.prototype, { polluted: 'yes' });
    try {
      const { options } = readSpawn('sleep', ['60'], { graceMs: 0 });
      expect(options.graceMs).toBe(0);
      const names: string[] = [];
      // As Node reads it.
      for (const name in marked(options.env ?? {}, 'mark')) names.push(name);
      expect(names).toContain('PATH');
      expect(names).not.toContain('polluted');
    } finally {
      Reflect.deleteProperty(Object.prototype, 'polluted');
    }
  });
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
    expect(await textOf(child.stdout)).toMatch(/^outer:[\w-]{43}:[\w-]{36}\n$/);
    run.complete();
  });

  test('the mark of the tree that we run in is kept in an environment that was made anew, too', async () => {
    const run = await begin(controlled());
    const child = await spawn(run, 'sh', ['-c', 'echo $RUNFENCE_PROCESS'], { env: { PATH: process.env.PATH } });
    expect(await textOf(child.stdout)).toMatch(new RegExp(`^${process.env.RUNFENCE_PROCESS}:[\\w-]{43}:[\\w-]{36}\n$`));
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
