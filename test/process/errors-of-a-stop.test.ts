import { exec, execFile, spawn as spawnChild } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { execa } from 'execa';
import { createRunControl, type Run } from 'runfence';
import { type ProcessHandle, spawn } from 'runfence/process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { untilCut } from '../support/work.js';

/** What a stop brings to `onError` and into the receipt; `ready` is called when it may come. */
async function stopped(work: (run: Run, ready: () => void) => Promise<unknown>) {
  const errors: unknown[] = [];
  const control = createRunControl({ onError: (error) => errors.push(error) });
  onTestFinished(async () => void (await control.drain({ graceMs: 0 })));
  let ready!: () => void;
  const isReady = new Promise<void>((resolve) => {
    ready = resolve;
  });
  let thrown: unknown;
  const outcome = control.run({ sessionKey: 's' }, (run) =>
    work(run, ready).catch((error: unknown) => {
      thrown = error;
      throw error;
    }),
  );
  await isReady;
  const receipt = await control.abort({ sessionKey: 's' });
  expect(await outcome).toMatchObject({ status: 'aborted' });
  const { quiet, runs } = await receipt.whenQuiet();
  expect(quiet).toBe(true);
  return { thrown, errors, error: runs[0]?.error };
}

/** A shell that says that it is there, and what it does with SIGTERM. */
const trapping = (onTerm: string): string[] => [
  '-c',
  `trap '${onTerm}' TERM; echo ready; while :; do sleep 0.05; done`,
];

async function isThere(handle: ProcessHandle): Promise<void> {
  const reader = handle.stdout.getReader();
  await reader.read();
  reader.releaseLock();
}

describe('the end of a process that the stop has killed is no alarm:', () => {
  test.each<[string, string[], (end: { exitCode: number | undefined; signal: string | undefined }) => Error]>([
    ['its code, in words', trapping('exit 143'), ({ exitCode }) => new Error(`Process exited with code ${exitCode}`)],
    [
      'a code of its own, in words',
      trapping('exit 3'),
      ({ exitCode }) => new Error(`CLI failed (exit code: ${exitCode})`),
    ],
    [
      'no code',
      ['-c', 'echo ready; exec sleep 60'],
      ({ exitCode }) => new Error(`exited with code ${exitCode ?? null}`),
    ],
    ['its signal, in words', ['-c', 'echo ready; exec sleep 60'], ({ signal }) => new Error(`Terminated by ${signal}`)],
    [
      'its code as a field',
      trapping('exit 7'),
      ({ exitCode }) => Object.assign(new Error('The agent stopped.'), { exitCode }),
    ],
    [
      'its code in a cause',
      trapping('exit 143'),
      ({ exitCode }) => new Error('The agent stopped.', { cause: new Error(`exited with code ${exitCode}`) }),
    ],
    [
      'the status that a shell makes of its signal',
      ['-c', 'echo ready; exec sleep 60'],
      () => new Error('Process exited with code 143'),
    ],
  ])('%s (B20)', async (_what, args, wrapper) => {
    const { thrown, errors, error } = await stopped(async (run, ready) => {
      const cli = await spawn(run, 'sh', args, { stderr: 'ignore' });
      await isThere(cli);
      ready();
      throw wrapper(await cli.exited);
    });
    expect(thrown).toBeInstanceOf(Error);
    expect([errors, error]).toEqual([[], undefined]);
  });

  test('of a gated tool, whose caller has its answer already (B20)', async () => {
    const { thrown, errors, error } = await stopped((run, ready) =>
      run.gate(async () => {
        const cli = await spawn(run, 'sh', trapping('exit 143'), { stderr: 'ignore' });
        await isThere(cli);
        ready();
        throw new Error(`Process exited with code ${(await cli.exited).exitCode}`);
      })(),
    );
    expect(thrown).toMatchObject({ code: 'RUN_ABORTED' });
    expect([errors, error]).toEqual([[], undefined]);
  });

  test('what a write into it fails with (B20)', async () => {
    const { thrown, errors, error } = await stopped(async (run, ready) => {
      const cli = await spawn(run, 'sleep', ['60'], { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore' });
      const writer = (cli.stdin as WritableStream<string>).getWriter();
      ready();
      await cli.exited;
      // The system says so a turn later, and Node 24 not before that.
      for (let at = 0; at < 100; at += 1) {
        await writer.write('more');
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect(thrown).toBeDefined();
    expect([errors, error]).toEqual([[], undefined]);
  });

  test('of a process that the end of the run has killed, in a call that nobody awaited (B20)', async () => {
    const errors: unknown[] = [];
    const control = createRunControl({ onError: (error) => errors.push(error) });
    let called!: Promise<unknown>;
    await control.run({ sessionKey: 's' }, async (run) => {
      let ready!: () => void;
      const isReady = new Promise<void>((resolve) => {
        ready = resolve;
      });
      called = run
        .gate(async () => {
          const cli = await spawn(run, 'sh', trapping('exit 143'), { stderr: 'ignore' });
          await isThere(cli);
          ready();
          throw new Error(`Process exited with code ${(await cli.exited).exitCode}`);
        })()
        .catch((error: unknown) => error);
      await isReady;
    });
    expect(await called).toMatchObject({ code: 'RUN_ENDED' });
    await control.drain();
    expect(errors).toEqual([]);
  });

  test.each<[string, object, (run: Run, ready: () => void) => Promise<unknown>]>([
    [
      'execa with the signal',
      { isCanceled: true },
      async (run, ready) => {
        const child = execa('sleep', ['60'], { cancelSignal: run.signal });
        ready();
        await child;
      },
    ],
    [
      'execa that a listener kills',
      { signal: 'SIGTERM', isTerminated: true },
      async (run, ready) => {
        const child = execa('sleep', ['60']);
        run.signal.addEventListener('abort', () => child.kill());
        ready();
        await child;
      },
    ],
    [
      'execa that is attached, and exits by itself',
      { exitCode: 143 },
      async (run, ready) => {
        const child = execa('sh', trapping('exit 143'));
        run.attach({ name: 'cli', stop: () => child.kill(), gone: child.catch(() => {}) });
        child.stdout.once('data', ready);
        await child;
      },
    ],
    [
      'execFile with the signal',
      { name: 'AbortError' },
      async (run, ready) => {
        const running = promisify(execFile)('sleep', ['60'], { signal: run.signal });
        // It rejects before the process has ended, which the test is not to leave behind.
        const exited = new Promise((resolve) => running.child.once('exit', resolve));
        ready();
        await running.finally(() => exited);
      },
    ],
    [
      'exec that a listener kills',
      { code: 143 },
      async (run, ready) => {
        const running = promisify(exec)(trapping('exit 143')[1] as string);
        run.signal.addEventListener('abort', () => running.child.kill());
        running.child.stdout?.once('data', ready);
        await running;
      },
    ],
    [
      'a wrapper that only has words, whose attachment explains them',
      { message: 'CLI process exited with code 143' },
      async (run, ready) => {
        const child = spawnChild('sh', trapping('exit 143'), { stdio: ['ignore', 'pipe', 'ignore'] });
        const gone = once(child, 'exit');
        run.attach({
          name: 'cli',
          stop: () => child.kill(),
          gone,
          explains: (error) => /exited with code 143$/.test((error as Error).message),
        });
        child.stdout.once('data', ready);
        const [code] = await gone;
        throw new Error(`CLI process exited with code ${code}`);
      },
    ],
  ])('%s (B20)', async (_what, shape, work) => {
    const { thrown, errors, error } = await stopped(work);
    expect(thrown).toMatchObject(shape);
    expect([errors, error]).toEqual([[], undefined]);
  });
});

describe('another end of a process is told after a stop too:', () => {
  test('of one that had ended before the stop (B21)', async () => {
    const { thrown, errors, error } = await stopped(async (run, ready) => {
      const cli = await spawn(run, 'sh', ['-c', 'exit 3'], { stdout: 'ignore', stderr: 'ignore' });
      const { exitCode } = await cli.exited;
      ready();
      await untilCut(run);
      throw new Error(`Process exited with code ${exitCode}`);
    });
    expect(errors).toEqual([thrown]);
    expect(error).toBe(thrown);
  });

  test('with another code than that of the process which the stop has killed (B21)', async () => {
    const { thrown, errors } = await stopped(async (run, ready) => {
      const cli = await spawn(run, 'sh', trapping('exit 143'), { stderr: 'ignore' });
      await isThere(cli);
      ready();
      await cli.exited;
      throw new Error('Process exited with code 2');
    });
    expect(errors).toEqual([thrown]);
  });

  test('in words alone, where nothing is known of a process (B21)', async () => {
    const { thrown, errors } = await stopped(async (run, ready) => {
      ready();
      await untilCut(run);
      throw new Error('Process exited with code 143');
    });
    expect(errors).toEqual([thrown]);
  });

  test('a failure of the work beside the process that was killed (B21)', async () => {
    const { thrown, errors } = await stopped(async (run, ready) => {
      const cli = await spawn(run, 'sleep', ['60'], { stdout: 'ignore', stderr: 'ignore' });
      ready();
      await cli.exited;
      throw new TypeError('Cannot read properties of undefined (reading "code")');
    });
    expect(errors).toEqual([thrown]);
  });

  test('a code of 143 that is not of a process (B21)', async () => {
    const { thrown, errors } = await stopped(async (run, ready) => {
      ready();
      await untilCut(run);
      throw Object.assign(new Error('the database is locked'), { code: 143 });
    });
    expect(errors).toEqual([thrown]);
  });

  test('an explanation that throws explains nothing (B21)', async () => {
    const { thrown, errors } = await stopped(async (run, ready) => {
      run.attach({
        name: 'cli',
        stop: () => {},
        explains: () => {
          throw new Error('explains threw');
        },
      });
      ready();
      await untilCut(run);
      throw new Error('disk full');
    });
    expect(errors).toEqual([thrown]);
  });
});
