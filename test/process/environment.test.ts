import { spawn as spawnChild } from 'node:child_process';
import { once } from 'node:events';
import { spawn } from 'runfence/process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { environmentOf, isOfOthers, wasGivenNone } from '../../src/process/environment.js';
import { LinuxTable } from '../../src/process/linux-table.js';
import { marked, marksIn } from '../../src/process/mark.js';
import type { ProcessEntry } from '../../src/process/process-table.js';
import { UnixTree } from '../../src/process/unix-tree.js';
import { begin } from '../support/begin.js';
import { lookAt } from './fakes.js';
import { controlled, until } from './support.js';
import { commandOf, isRunning } from './witness.js';

const MARK = '0b6f7d5e-1111-4222-8333-444455556666';

/** A process that is killed at the end of the test, once it is what it was started to be. */
async function started(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawnChild(command, args, { stdio: 'ignore', env: { PATH: process.env.PATH, ...env } });
  onTestFinished(async () => {
    if (child.kill('SIGKILL')) await once(child, 'exit');
  });
  await once(child, 'spawn');
  return child.pid as number;
}

const bytes = (...variables: string[]): Buffer => Buffer.from(variables.map((each) => `${each}\0`).join(''));

describe('the mark', () => {
  test('is the value of the variable, and each part of one that marks trees around it too', () => {
    expect(marksIn(bytes('A=1', `RUNFENCE_PROCESS=${MARK}`, 'B=2'))).toEqual([MARK]);
    expect(marksIn(bytes(`RUNFENCE_PROCESS=outer:${MARK}`))).toEqual(['outer', MARK]);
    expect(marksIn(Buffer.from(`RUNFENCE_PROCESS=${MARK}`))).toEqual([MARK]);
    expect(marksIn(bytes(`RUNFENCE_PROCESS=${MARK}`, 'RUNFENCE_PROCESS=other'))).toEqual([MARK, 'other']);
  });

  test.each([
    [`LAST_ERR=could not start: RUNFENCE_PROCESS=${MARK}y`],
    [`LAST_ERR=RUNFENCE_PROCESS=${MARK}`],
    [`MY_RUNFENCE_PROCESS=${MARK}`],
    [`RUNFENCE_PROCESS_ID=${MARK}`],
    [`RUNFENCE_PROCESS=${MARK}y`],
    [`RUNFENCE_PROCESS=x${MARK}`],
    [`RUNFENCE_PROCESS=${MARK.slice(0, -1)}`],
  ])('is not in %s', (variable) => {
    expect(marksIn(bytes('A=1', variable))).not.toContain(MARK);
  });

  test('in the text of a stranger’s other variable does not make it one of the tree: it is not killed', async () => {
    const control = controlled();
    const run = await begin(control);
    const child = await spawn(run, 'sh', ['-c', 'echo $RUNFENCE_PROCESS; exec sleep 60']);
    const { value } = await child.stdout.getReader().read();
    const said = `RUNFENCE_PROCESS=${new TextDecoder().decode(value).trim()}`;
    const stranger = await started('sleep', ['60'], {
      LAST_ERR: `no: ${said}y`,
      COPY: said,
      RUNFENCE_PROCESS: `${said}y`,
    });
    await until(() => commandOf(stranger) === 'sleep 60');
    const receipt = await control.abort({ runId: run.id });
    run.complete();
    expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
    expect(isRunning(child.pid)).toBe(false);
    expect(isRunning(stranger)).toBe(true);
  });
});

describe('an environment that is empty', () => {
  test('from the start carries no mark', async () => {
    const pid = await started('env', ['-i', 'sleep', '60'], {});
    await until(() => commandOf(pid) === 'sleep 60');
    expect(environmentOf(pid)).toEqual([]);
  });

  test.each([
    ['is at its place, of a program that has begun', '4194304', '9000', '9000', true],
    ['has no place yet', '4194304', '0', '0', false],
    ['has a place whose end is not set yet, of a program that has not begun', '0', '9000', '9000', false],
    ['has a place that is not shown to us', '1', '0', '0', false],
    ['was empty a moment ago and is not any more', '4194304', '9000', '9500', false],
  ])('%s', (_, code, start, end, isNone) => {
    const fields = Array.from({ length: 50 }, () => '7');
    // As of proc(5), behind the first two.
    Object.assign(fields, { 0: 'S', 23: code, 47: start, 48: end });
    expect(wasGivenNone(`42 (a) b) ${fields.join(' ')}\n`)).toBe(isNone);
    expect(wasGivenNone('')).toBe(false);
  });

  test('because the process goes from one program to the next is no answer, however often it is met', async () => {
    // Each of them starts the next: the system takes its time to lay out so many words.
    const words = Array.from({ length: 4_000 }, () => 'env');
    const pid = await started('env', [...words, 'sleep', '60'], marked({}, MARK));
    const leader = { pid: 2 ** 30, parent: process.pid, group: 2 ** 30, session: 2 ** 30, start: 0, isDead: false };
    const table = new LinuxTable();
    const met = new Map<string, number>();
    const count = (answer: string): void => void met.set(answer, (met.get(answer) ?? 0) + 1);
    // Two looks in a row are faster than one change of programs.
    const narrow = {
      read: () => {
        const entry = table.entry(pid) as ProcessEntry;
        return lookAt([{ ...entry, parent: 1 }]);
      },
      now: (entry: ProcessEntry) => table.now(entry),
      isMarked: () => {
        const found = environmentOf(pid);
        if (found === 'unknown') count('empty');
        return typeof found === 'string' ? found : found.includes(MARK) ? ('yes' as const) : ('no' as const);
      },
      nameOf: () => 'env',
      commandOf: () => 'env',
    };
    while ((met.get('empty') ?? 0) < 100 && commandOf(pid) !== 'sleep 60') {
      const tree = new UnixTree(narrow, () => {}, leader, MARK);
      count((await tree.look()).state);
    }
    expect(met.get('empty')).toBeGreaterThan(0);
    expect(met.get('alive')).toBeGreaterThan(0);
    expect(met.get('gone')).toBeUndefined();
  });
});

describe('an environment that is not shown', () => {
  const status = (...users: number[]): string => `Name:\tsh\nUid:\t${users.join('\t')}\nGid:\t0\t0\t0\t0\n`;

  test('is none of ours if the process is wholly other users’', () => {
    expect(isOfOthers(status(0, 0, 0, 0), [1_000, 1_000])).toBe(true);
    expect(isOfOthers(status(1_001, 1_001, 1_001, 1_001), [1_000, 1_000])).toBe(true);
  });

  test('may be ours if any of its users is ours, if we may become others, or if nothing is known of it', () => {
    expect(isOfOthers(status(1_000, 1_000, 1_000, 1_000), [1_000, 1_000])).toBe(false);
    expect(isOfOthers(status(1_000, 0, 0, 0), [1_000, 1_000])).toBe(false);
    expect(isOfOthers(status(0, 0, 1_000, 0), [1_000, 1_000])).toBe(false);
    expect(isOfOthers(status(1_001, 1_001, 1_001, 1_001), [0, 1_000])).toBe(false);
    expect(isOfOthers('', [1_000, 1_000])).toBe(false);
  });
});
