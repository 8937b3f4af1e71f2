import { spawn as spawnChild } from 'node:child_process';
import { once } from 'node:events';
import { FakeClock, flush } from 'runfence/testing';
import { describe, expect, test, vi } from 'vitest';
import { KillLadder } from '../../src/process/kill-ladder.js';
import { OwnedProcess } from '../../src/process/owned-process.js';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';
import { member, ScriptedTree } from './fakes.js';

const PROOF_MS = 1_000;

describe('a ladder', () => {
  test('names who is still there a second after SIGKILL', async () => {
    const [clock, tree] = [new FakeClock(), new ScriptedTree()];
    let isAlive = true;
    tree.found = [member(7), member(8, () => isAlive)];
    const ladder = new KillLadder(tree, clock, 3_000);
    expect(tree.sweeps).toEqual(['SIGTERM']);
    await clock.advance(3_000);
    await vi.waitFor(() => expect(tree.sweeps).toContain('SIGKILL'), 15_000);
    isAlive = false;
    await clock.advance(PROOF_MS);
    expect(await ladder.end).toMatchObject({ state: 'alive', members: [{ pid: 7 }] });
    expect(clock.pending).toBe(0);
  });

  test('claims nothing if the system could not say who is there, and still signals the group', async () => {
    const [clock, tree] = [new FakeClock(), new ScriptedTree()];
    tree.found = 'no answer';
    const ladder = new KillLadder(tree, clock, 0);
    await clock.advance(PROOF_MS);
    expect(await ladder.end).toEqual({ state: 'unknown' });
    expect(tree.once).toContain('SIGKILL');
  });

  test('asks the group once, however often the system does not say who is there', async () => {
    const [clock, tree] = [new FakeClock(), new ScriptedTree()];
    tree.found = 'no answer';
    const ladder = new KillLadder(tree, clock, 3_000);
    await vi.waitFor(() => expect(tree.sweeps.length).toBeGreaterThan(3), 15_000);
    expect(tree.once).toEqual(['SIGTERM']);
    tree.found = [];
    expect(await ladder.end).toEqual({ state: 'gone' });
  });

  test('believes the first look that finds nobody', async () => {
    const [clock, tree] = [new FakeClock(), new ScriptedTree()];
    tree.found = 'unknown';
    const ladder = new KillLadder(tree, clock, 3_000);
    tree.found = [];
    expect(await ladder.end).toEqual({ state: 'gone' });
    expect(clock.pending).toBe(0);
  });

  test('asks whoever comes later, before it forces anybody (G23)', async () => {
    const [clock, tree] = [new FakeClock(), new ScriptedTree()];
    let isAlive = true;
    tree.found = [member(7, () => isAlive)];
    const ladder = new KillLadder(tree, clock, 3_000);
    tree.found = [member(8)];
    isAlive = false;
    await vi.waitFor(() => expect(tree.sweeps.length).toBeGreaterThan(1), 15_000);
    expect(tree.sweeps).not.toContain('SIGKILL');
    await clock.advance(3_000);
    await vi.waitFor(() => expect(tree.sweeps).toContain('SIGKILL'), 15_000);
    tree.found = [];
    expect(await ladder.end).toEqual({ state: 'gone' });
  });
});

describe('who survives', () => {
  test('is named in the receipt in place of the whole, tried again, and forgotten when it is gone', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { control, clock } = tracked();
      const run = await begin(control);
      const child = spawnChild('sleep', ['60'], { stdio: ['ignore', 'pipe', 'pipe'] });
      const tree = new ScriptedTree();
      let isAlive = true;
      tree.found = [member(7, () => isAlive), member(8)];
      const owned = new OwnedProcess(run, '/usr/bin/sleep', child, tree, { graceMs: 0 });
      const receipt = await control.abort({ runId: run.id });
      run.complete();
      // Its two outputs are told to stop in the cut, and have stopped some turns later.
      await flush();
      const leftovers = async () => (await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]?.leftovers;
      expect(await leftovers()).toEqual([`process sleep (${child.pid})`]);
      await clock.advance(PROOF_MS);
      await vi.waitFor(
        async () => expect(await leftovers()).toEqual(['process name-7 (7)', 'process name-8 (8)']),
        15_000,
      );

      const killing = owned.kill();
      await clock.advance(PROOF_MS);
      expect(await killing).toMatchObject({
        gone: false,
        survivors: [
          { pid: 7, command: 'name-7 --secret' },
          { pid: 8, command: 'name-8 --secret' },
        ],
      });
      const other = await begin(control, { sessionKey: 'other' });
      expect(() => owned.transfer(other)).toThrow(expect.objectContaining({ code: 'PROCESS_STOPPED' }));
      other.complete();

      isAlive = false;
      // Somebody new has come of them.
      tree.found = [member(8), member(9)];
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await leftovers()).toEqual(['process name-8 (8)', 'process name-9 (9)']);
      child.kill('SIGKILL');
      await once(child, 'exit');
      tree.found = [];
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
      expect(vi.getTimerCount()).toBe(0);
      expect(await owned.kill()).toMatchObject({ gone: true });
    } finally {
      vi.useRealTimers();
    }
  });

  test('is named as unknown as long as nobody is found and nothing is proven, and no longer', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { control, clock } = tracked();
      const run = await begin(control);
      const child = spawnChild('sleep', ['60'], { stdio: ['ignore', 'pipe', 'pipe'] });
      const tree = new ScriptedTree();
      tree.found = 'unknown';
      const owned = new OwnedProcess(run, '/usr/bin/sleep', child, tree, { graceMs: 0 });
      const receipt = await control.abort({ runId: run.id });
      run.complete();
      await flush();
      const report = async () => {
        const { quiet, runs } = await receipt.whenQuiet({ timeoutMs: 0 });
        return { quiet, leftovers: runs[0]?.leftovers };
      };
      const whole = `process sleep (${child.pid})`;
      expect(await report()).toEqual({ quiet: false, leftovers: [whole] });
      await clock.advance(PROOF_MS);
      await vi.waitFor(async () => {
        expect(await report()).toEqual({ quiet: false, leftovers: [`unknown: ${whole}`] });
      }, 15_000);
      const killing = owned.kill();
      await clock.advance(PROOF_MS);
      expect(await killing).toMatchObject({ gone: false, survivors: [] });

      let isAlive = true;
      const found = [
        [[member(9, () => isAlive)], 'process name-9 (9)'],
        ['unknown', 'process name-9 (9)'],
        ['no answer', 'process name-9 (9)'],
      ] as const;
      for (const [next, name] of found) {
        tree.found = typeof next === 'string' ? next : [...next];
        await vi.advanceTimersByTimeAsync(1_000);
        expect(await report()).toEqual({ quiet: false, leftovers: [name] });
      }
      isAlive = false;
      tree.found = 'unknown';
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await report()).toEqual({ quiet: false, leftovers: [`unknown: ${whole}`] });
      child.kill('SIGKILL');
      await once(child, 'exit');
      tree.found = [];
      await vi.advanceTimersByTimeAsync(1_000);
      expect(await receipt.whenQuiet()).toMatchObject({ quiet: true });
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('what has ended by itself', () => {
  test('is looked for again where a look proved nothing: a run that goes on does not keep it', async () => {
    const { control } = tracked();
    const run = await begin(control);
    const child = spawnChild('true', { stdio: ['ignore', 'pipe', 'pipe'] });
    const tree = new ScriptedTree();
    tree.found = 'unknown';
    const looks = vi.spyOn(tree, 'look');
    const owned = new OwnedProcess(run, 'true', child, tree, {});
    await owned.exited;
    await vi.waitFor(() => expect(looks.mock.calls.length).toBeGreaterThan(1), 15_000);
    const before = looks.mock.calls.length;
    tree.found = [];
    await vi.waitFor(() => expect(looks.mock.calls.length).toBeGreaterThan(before), 15_000);
    await flush();
    expect(await owned.kill()).toMatchObject({ gone: true });
    // No process was signalled for that.
    expect(tree.sweeps).toEqual([]);
    run.complete();
  });
});
