import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { once } from 'node:events';
import { FakeClock } from 'runfence/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KillLadder } from '../../src/process/kill-ladder.js';
import { LinuxTable, parseStat } from '../../src/process/linux-table.js';
import { treeOf } from '../../src/process/platform.js';
import { adoptersIn, type ProcessEntry } from '../../src/process/process-table.js';
import { PsTable, parseLine } from '../../src/process/ps-table.js';
import { UnixTree } from '../../src/process/unix-tree.js';
import { fixture, until } from './support.js';
import { isRunning } from './witness.js';

function started(command: string, args: readonly string[], detached = false) {
  const child = spawnChild(command, args, { stdio: 'ignore', detached });
  onTestFinished(async () => {
    if (child.kill('SIGKILL')) await once(child, 'exit');
  });
  return { child, pid: child.pid as number };
}

describe('/proc', () => {
  const line = (name: string, state: string, threads: number): string =>
    `42 (${name}) ${state} 7 8 9 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 ${threads} 0 123456 1000 10 1`;

  test.each(['sh', 'a b', ') S 1 1 1 (', 'two\nlines'])('the name %j does not confuse the fields', (name) => {
    const entry = { pid: 42, parent: 7, group: 8, session: 9, start: 123_456, isDead: false };
    expect(parseStat(42, line(name, 'S', 1))).toEqual(entry);
  });

  test.each([
    ['Z', 1, true],
    ['X', 0, true],
    ['Z', 3, false],
    ['D', 1, false],
    ['T', 1, false],
  ])('state %s with %i threads: dead is %s', (state, threads, isDead) => {
    expect(parseStat(42, line('sh', state, threads)).isDead).toBe(isDead);
  });

  test('tells of a process, its zombie and its absence (G12)', async () => {
    const table = new LinuxTable();
    const { child, pid } = started('sleep', ['60'], true);
    const entry = table.entry(pid);
    expect(entry).toMatchObject({ pid, parent: process.pid, group: pid, session: pid, isDead: false });
    if (entry === undefined) throw new Error('gone');
    expect(table.read(performance.now()).entries).toContainEqual(entry);
    expect(table.now(entry)).toEqual(entry);
    expect(table.now({ ...entry, start: (entry.start ?? 0) + 1 })).toBeUndefined();
    await until(() => table.commandOf(pid) === 'sleep 60');
    expect(table.nameOf(pid)).toBe('sleep');
    process.kill(pid, 'SIGKILL');
    while (isRunning(pid));
    // Node reaps it in a later turn of the event loop.
    expect(table.now(entry)?.isDead).toBe(true);
    await once(child, 'exit');
    expect(table.entry(pid)).toBeUndefined();
    expect(table.isMarked(entry, 'mark')).toBe('ended');
  });
});

describe('a look at /proc', () => {
  test('serves all who ask in one turn of the event loop, but nobody for whom it was too early', async () => {
    const table = new LinuxTable();
    const before = performance.now();
    const first = table.read(before);
    expect(table.read(before)).toBe(first);
    const second = table.read(first.at);
    expect(second.at).toBeGreaterThan(first.at);
    await new Promise((resolve) => setImmediate(resolve));
    expect(table.read(before)).not.toBe(second);
  });

  test('says who has become a zombie since the one before', async () => {
    const table = new LinuxTable();
    const { child, pid } = started('sleep', ['60']);
    table.read(performance.now());
    process.kill(pid, 'SIGKILL');
    while (isRunning(pid));
    // In this turn Node does not reap it.
    const { entries, ended } = table.read(performance.now());
    expect(entries.find((entry) => entry.pid === pid)?.isDead).toBe(true);
    expect(ended).toContainEqual({ pid, last: expect.objectContaining({ pid, isDead: true }) });
    await once(child, 'exit');
  });
});

describe('the processes of another system', () => {
  test('are told by a look that does not see ourselves: it is no look', () => {
    const self = { ...(new LinuxTable().entry(process.pid) as ProcessEntry) };
    const above = { ...self, pid: process.ppid, parent: 77 };
    expect(adoptersIn([self, above, { ...self, pid: 77, parent: 0 }, { ...self, pid: 78 }])).toEqual(
      expect.arrayContaining([1, process.pid, process.ppid, 77]),
    );
    expect(adoptersIn([self, above])).not.toContain(78);
    expect(() => adoptersIn([above])).toThrow('other processes');
    expect(() => adoptersIn([{ ...self, parent: process.ppid + 1 }, above])).toThrow('other processes');
  });

  test('have a pid of ours for somebody who is no child of ours: it is not believed', async () => {
    // A look at /proc is there at once.
    const look = treeOf({ pid: process.ppid } as ChildProcess, 'mark').look();
    expect(look).toBeInstanceOf(Promise);
    // What `ps` says, or that a busy machine has kept it too long, is no matter here.
    await Promise.resolve(look).catch(() => {});
  });
});

describe('ps', () => {
  const now = Date.parse('Sat Nov 21 10:00:30 2026');

  test('a line is read, also with a day of one digit', () => {
    expect(parseLine('   42     7     8 Ss   Sat Nov  7 10:00:20 2026 /bin/sh -c sleep  60', now)).toEqual({
      entry: {
        pid: 42,
        parent: 7,
        group: 8,
        session: undefined,
        start: Date.parse('Sat Nov 7 10:00:20 2026'),
        isDead: false,
      },
      command: '/bin/sh -c sleep  60',
    });
  });

  test('a start of this very second says too little to recognise anybody by it later (G11)', () => {
    expect(parseLine('42 7 8 S Sat Nov 21 10:00:29 2026 sh', now)?.entry.start).toBeUndefined();
    expect(parseLine('42 7 8 S Sat Nov 21 10:00:27 2026 sh', now)?.entry.start).toBeDefined();
  });

  test.each(['yesterday sh -c x', '- sh -c x', ''])('a process whose start cannot be read is there: %j', (rest) => {
    const expected = { pid: 42, parent: 7, group: 8, session: undefined, start: undefined, isDead: false };
    expect(parseLine(`42 7 8 S ${rest}`, now)).toEqual({ entry: expected, command: rest });
  });

  test('a zombie is dead, and what is no line is none', () => {
    expect(parseLine('42 7 8 Z Sat Nov 21 10:00:20 2026 [sh] <defunct>', now)?.entry.isDead).toBe(true);
    for (const line of ['', 'PID PPID', '42 7 8', '-1 7 8 S x']) expect(parseLine(line, now)).toBeUndefined();
  });

  test('tells the same as /proc', async () => {
    const { pid } = started('sleep', ['60'], true);
    const table = new PsTable();
    const { entries } = await table.read();
    const { parent, group, isDead } = new LinuxTable().entry(pid) ?? {};
    expect(entries.find((entry) => entry.pid === pid)).toMatchObject({ pid, parent, group, isDead });
    expect(table.commandOf(pid)).toBe('sleep 60');
    expect(table.nameOf(pid)).toBe('sleep');
  });

  test('is enough to kill a tree with a leaf in a session of its own', async () => {
    const { child, pid } = started('sh', [fixture('own-session.sh')], true);
    const exited = once(child, 'exit');
    const linux = new LinuxTable();
    const below = (): number[] => {
      const { entries } = linux.read(performance.now());
      const found = [pid];
      for (const parent of found) found.push(...entries.filter((entry) => entry.parent === parent).map((e) => e.pid));
      return found;
    };
    await until(() => below().length === 3 && below().every((each) => linux.nameOf(each) !== 'setsid'));
    const pids = below();
    const kill = (target: number, signal: NodeJS.Signals): void => void process.kill(target, signal);
    const leader = { pid, parent: process.pid, group: pid, session: undefined, start: undefined, isDead: false };
    const tree = new UnixTree(new PsTable(), kill, leader, 'mark');
    const ladder = new KillLadder(tree, new FakeClock(), 3_000);
    await exited;
    await tree.leaderReaped();
    expect(await ladder.end).toEqual({ state: 'gone' });
    expect(pids.filter(isRunning)).toEqual([]);
  });
});
