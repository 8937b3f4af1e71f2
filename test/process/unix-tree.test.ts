import type { Awaitable } from 'runfence';
import { describe, expect, test } from 'vitest';
import type { MarkAnswer } from '../../src/process/process-table.js';
import type { Sighting } from '../../src/process/tree.js';
import { entry, fakeTree, lookAt } from './fakes.js';

const OURS = { group: 1_000, session: 1_000 };

/** The pids of the living members, or `gone`, or `unknown`. */
async function pids(sighting: Awaitable<Sighting>): Promise<number[] | 'gone' | 'unknown'> {
  const seen = await sighting;
  return seen.state === 'alive' ? seen.members.map(({ pid }) => pid).sort((a, b) => a - b) : seen.state;
}

describe('who belongs to a tree', () => {
  test('the group and the session of the leader, all that these started, and who carries the mark', async () => {
    const { tree, table, leader } = fakeTree();
    table.entries = [
      leader,
      entry(1_001, OURS),
      entry(1_002, { group: 1_002, session: 1_000 }),
      entry(1_003, { parent: 1_001, group: 1_003, session: 1_003 }),
      entry(1_004, { parent: 1_003, group: 1_004, session: 1_004 }),
      entry(1_005, { group: 1_005, session: 1_005 }),
      entry(1_006, { parent: 1_005, group: 1_005, session: 1_005 }),
      entry(2_000),
      entry(2_001, { parent: 2_000 }),
    ];
    table.marked = [1_005];
    expect(await pids(tree.sweep('SIGTERM'))).toEqual([1_000, 1_001, 1_002, 1_003, 1_004, 1_005, 1_006]);
  });

  test('who is in a session that a member has made, and not who is in one that somebody else has', async () => {
    const { tree, table, leader } = fakeTree();
    table.entries = [
      leader,
      entry(1_001, { group: 1_001, session: 1_001 }),
      entry(1_002, { group: 1_002, session: 1_001 }),
      entry(2_000, { group: 2_000, session: 2_000 }),
      entry(2_001, { group: 2_001, session: 2_000 }),
      entry(2_002, { group: 2_002, session: 2_000 }),
    ];
    table.marked = [1_001, 2_001];
    expect(await pids(tree.sweep('SIGTERM'))).toEqual([1_000, 1_001, 1_002, 2_001]);
  });

  test('of an orphan, who is in the session of a member whose leader has ended, unless it is our own', async () => {
    const { tree, table } = fakeTree(entry(-1, { group: -1, isDead: true }));
    table.entries = [
      entry(1_001, { session: 1_000 }),
      entry(1_002, { session: 1_000 }),
      entry(2_001, { session: 2_000 }),
      entry(2_002, { session: 2_000 }),
      entry(process.pid, { session: 2_000 }),
    ];
    table.marked = [1_001, 2_001];
    expect(await pids(tree.sweep('SIGTERM'))).toEqual([1_001, 1_002, 2_001]);
    // The number of the session was given to a stranger since.
    table.entries = [entry(1_000, { session: 1_000, start: 500 }), entry(1_003, { session: 1_000, start: 500 })];
    expect(await pids(tree.sweep('SIGKILL'))).not.toContain(1_003);
  });

  test('not a zombie, but what it started and has left in its group (G4)', async () => {
    const { tree, table, leader } = fakeTree();
    table.entries = [{ ...leader, isDead: true }, entry(1_001, OURS)];
    expect(await pids(tree.sweep('SIGTERM'))).toEqual([1_001]);
  });

  test('not who carries a mark but is older than the tree', async () => {
    const { tree, table, leader } = fakeTree();
    table.entries = [leader, entry(900, { start: 99 })];
    table.marked = [900];
    expect(await pids(tree.sweep('SIGTERM'))).toEqual([1_000]);
  });

  test('not ourselves, nor the first process, whatever they seem to be', async () => {
    const { tree, table, sent, leader } = fakeTree();
    const own = { parent: 1_000, group: 1_000, session: 1_000 };
    table.entries = [leader, entry(process.pid, own), entry(1, own), entry(0, own)];
    table.marked = [process.pid, 1, 0];
    expect(await pids(tree.sweep('SIGKILL'))).toEqual([1_000]);
    // Not the group either, since we are in it.
    expect(sent).toEqual([[1_000, 'SIGKILL']]);
  });

  test('who was a member once still is, wherever it has gone since (G9)', async () => {
    const { tree, table, leader } = fakeTree();
    table.entries = [leader, entry(1_001, { parent: 1_000, group: 1_001, session: 1_001 })];
    await tree.sweep('SIGTERM');
    table.entries = [entry(1_001, { parent: 1, group: 7, session: 7 })];
    expect(await pids(tree.sweep('SIGKILL'))).toEqual([1_001]);
  });
});

describe('a recycled number', () => {
  test('of the leader is nobody of ours, nor is its group (G8)', async () => {
    const { tree, table, sent } = fakeTree();
    table.entries = [entry(1_000, { ...OURS, start: 200 }), entry(1_001, { ...OURS, parent: 1_000, start: 201 })];
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
    expect(sent).toEqual([]);
  });

  test('of a group that was freed between the look and the signal gets none', async () => {
    const { tree, table, sent, leader } = fakeTree();
    const before = [leader, entry(1_001, { parent: 1_000, group: 1_001, session: 1_001 })];
    table.read = () => {
      table.entries = [leader, entry(1_001, { group: 1_001, session: 1_001, start: 300 })];
      return lookAt(before);
    };
    await tree.sweep('SIGKILL');
    expect(sent).toEqual([[-1_000, 'SIGKILL']]);
  });

  test('of a member is nobody of ours', async () => {
    const { tree, table, sent, leader } = fakeTree();
    table.entries = [leader, entry(1_001, { parent: 1_000, group: 9, session: 9 })];
    await tree.sweep('SIGTERM');
    table.entries = [entry(1_001, { group: 9, session: 9, start: 300 })];
    sent.length = 0;
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
    expect(sent).toEqual([]);
  });

  test('of a member that was taken between the look and the signal gets none (G10)', async () => {
    const { tree, table, sent, leader } = fakeTree();
    const before = [leader, entry(1_001, { parent: 1_000, group: 9, session: 9 })];
    table.read = () => {
      table.entries = [leader, entry(1_001, { group: 9, session: 9, start: 300 })];
      return lookAt(before);
    };
    await tree.sweep('SIGKILL');
    expect(sent).toEqual([[-1_000, 'SIGKILL']]);
  });

  test('of a group, once the leader was reaped and nobody of ours is in it, is a stranger’s (G5)', async () => {
    const { tree, table, sent } = fakeTree();
    table.entries = [];
    await tree.leaderReaped();
    table.entries = [entry(1_500, OURS), entry(1_501, { ...OURS, parent: 1_500 })];
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
    expect(sent).toEqual([]);
  });

  test('of a group is ours as long as somebody is in it who was there when the leader was reaped', async () => {
    const { tree, table, sent } = fakeTree();
    table.entries = [entry(1_001, OURS)];
    expect(await pids(tree.leaderReaped())).toEqual([1_001]);
    table.entries = [entry(1_001, OURS), entry(1_002, { ...OURS, start: 400 })];
    expect(await pids(tree.sweep('SIGKILL'))).toEqual([1_001, 1_002]);
    expect(sent).toEqual([[-1_000, 'SIGKILL']]);
  });

  test('of a parent does not make its elder children ours', async () => {
    const { tree, table, leader } = fakeTree();
    table.entries = [
      leader,
      entry(1_001, { parent: 1_000, start: 150, group: 9, session: 9 }),
      entry(1_002, { parent: 1_001, start: 140, group: 8, session: 8 }),
    ];
    expect(await pids(tree.sweep('SIGTERM'))).toEqual([1_000, 1_001]);
  });
});

describe('nobody', () => {
  test('in a look during which somebody has ended is no proof: he may have started another', async () => {
    const { tree, table, leader } = fakeTree();
    const zombie = { ...leader, isDead: true };
    const looks = [lookAt([zombie], [{ pid: zombie.pid, last: zombie }], 1), lookAt([zombie, entry(1_002)], [], 2)];
    table.marked = [1_002];
    const since: number[] = [];
    Object.assign(table, {
      read: (time: number) => {
        since.push(time);
        return looks.shift();
      },
    });
    expect(await pids(tree.sweep('SIGKILL'))).toEqual([1_002]);
    // The second look is a later one.
    expect(since[1]).toBe(1);
  });

  test('in a look in which only those have ended who were killed before it is one', async () => {
    const { tree, table, leader } = fakeTree();
    await tree.sweep('SIGKILL');
    let looks = 0;
    const zombie = { ...leader, isDead: true };
    table.read = () => lookAt([zombie], [{ pid: zombie.pid, last: zombie }], looks++);
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
    expect(looks).toBe(1);
  });

  test('in a look that met somebody between two programs, without an environment for a moment, is no proof', async () => {
    const { tree, table, leader } = fakeTree();
    table.entries = [{ ...leader, isDead: true }, entry(1_002)];
    const answers: MarkAnswer[] = ['unknown', 'unknown', 'unknown', 'yes'];
    Object.assign(table, { isMarked: () => answers.shift() });
    expect(await pids(tree.sweep('SIGKILL'))).toEqual([1_002]);
  });

  test.each(['unknown', 'ended'] as const)(
    'in four looks, each with one whose mark is %s, is no proof; once it is known to carry none, it is one',
    async (answer) => {
      const { tree, table } = fakeTree();
      table.entries = [entry(1_002)];
      table.answers.set(1_002, answer);
      for (let sweeps = 0; sweeps < 10; sweeps++) expect(await pids(tree.sweep('SIGKILL'))).toBe('unknown');
      table.answers.set(1_002, 'no');
      expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
    },
  );

  test('is looked for no more than four times in a row where somebody ends all the time, and then is unknown', async () => {
    const { tree, table, sent } = fakeTree();
    let looks = 0;
    table.read = () => lookAt([], [{ pid: 7, last: undefined }], looks++);
    expect(await pids(tree.sweep('SIGKILL'))).toBe('unknown');
    expect(looks).toBe(4);
    expect(sent).toEqual([]);
  });

  test('is known from one look on for ever: nothing comes of nobody', async () => {
    const { tree, table } = fakeTree();
    table.entries = [];
    expect(await pids(tree.look())).toBe('gone');
    table.isBroken = true;
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
  });

  test('of a group that could not be proven empty is somebody: whose it is, is unknown until its number was given away', async () => {
    const { tree, table } = fakeTree();
    table.entries = [];
    table.read = () => lookAt([], [{ pid: 7, last: undefined }]);
    expect(await pids(tree.leaderReaped())).toBe('unknown');
    table.read = () => lookAt([entry(1_500, OURS)]);
    expect(await pids(tree.sweep('SIGKILL'))).toBe('unknown');
    table.read = () => lookAt([entry(1_500, OURS), entry(1_000, { ...OURS, start: 300 })]);
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
  });

  test('of those who were not reached by SIGKILL is no proof when they have ended', async () => {
    const { tree, table, failing, leader } = fakeTree();
    const others = entry(1_001, { parent: 1_000, group: 9, session: 9 });
    table.entries = [leader, others];
    failing.set(1_001, 'EPERM');
    await tree.sweep('SIGKILL');
    table.entries = [];
    table.read = () => lookAt([], [{ pid: 1_000, last: leader }]);
    const look = table.read.bind(table);
    table.read = () => lookAt([], [{ pid: 1_001, last: others }]);
    expect(await pids(tree.sweep('SIGKILL'))).toBe('unknown');
    table.read = look;
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
  });

  test('who was there after the leader was reaped is found by a look that still saw the leader', async () => {
    const { tree, table, leader } = fakeTree();
    const looks = [lookAt([leader], [], 1), lookAt([entry(1_001, OURS)], [], 2)];
    Object.assign(table, { read: () => looks.shift() });
    expect(await pids(tree.leaderReaped())).toEqual([1_001]);
  });
});

describe('signals', () => {
  test('go to groups that are all ours, and to nobody in them a second time', async () => {
    const { tree, table, sent, leader } = fakeTree();
    table.entries = [
      leader,
      entry(1_001, OURS),
      entry(1_002, { parent: 1_001, group: 1_002, session: 1_002 }),
      entry(1_003, { parent: 1_002, group: 1_002, session: 1_002 }),
    ];
    await tree.sweep('SIGKILL');
    expect(sent).toEqual([
      [-1_000, 'SIGKILL'],
      [-1_002, 'SIGKILL'],
    ]);
  });

  test('go one by one, children first, to who is in a group that is not proven ours (G6, G7)', async () => {
    const { tree, table, sent, leader } = fakeTree(entry(1_000, { group: 77, session: 77 }));
    table.entries = [
      leader,
      entry(1_001, { parent: 1_000, group: 77, session: 77, start: 101 }),
      entry(1_002, { parent: 1_001, group: 77, session: 77, start: 102 }),
      entry(3_000, { group: 77, session: 77, start: 50 }),
    ];
    await tree.sweep('SIGTERM');
    expect(sent).toEqual([
      [1_002, 'SIGTERM'],
      [1_001, 'SIGTERM'],
      [1_000, 'SIGTERM'],
    ]);
    expect(tree.signalOnce('SIGINT')).toBe(true);
    expect(sent.at(-1)).toEqual([1_000, 'SIGINT']);
  });

  test('go on their own to who has left its group between the look and the signal', async () => {
    const { tree, table, sent, leader } = fakeTree();
    table.read = () => {
      table.entries = [leader, entry(1_001, { group: 1_001, session: 1_001 })];
      return lookAt([leader, entry(1_001, { ...OURS, parent: 1_000 })]);
    };
    await tree.sweep('SIGKILL');
    expect(sent).toEqual([
      [-1_000, 'SIGKILL'],
      [1_001, 'SIGKILL'],
    ]);
  });

  test('do not go to a group that its last member has left since: its number may be a stranger’s', async () => {
    const { tree, table, sent, leader } = fakeTree();
    table.read = () => {
      table.entries = [leader, entry(1_001, { group: 8, session: 8 })];
      return lookAt([leader, entry(1_001, { parent: 1_000, group: 1_001, session: 1_001 })]);
    };
    await tree.sweep('SIGKILL');
    expect(sent).toEqual([
      [-1_000, 'SIGKILL'],
      [1_001, 'SIGKILL'],
    ]);
  });

  test('SIGTERM comes once to each, and to those that came later', async () => {
    const { tree, table, sent, leader } = fakeTree();
    await tree.sweep('SIGTERM');
    await tree.sweep('SIGTERM');
    expect(sent).toEqual([[-1_000, 'SIGTERM']]);
    table.entries = [leader, entry(1_001, { ...OURS, parent: 1_000 })];
    await tree.sweep('SIGTERM');
    expect(sent.slice(1)).toEqual([[1_001, 'SIGTERM']]);
  });

  test('that reach nobody, or may not be sent, are no error', async () => {
    const { tree, table, failing } = fakeTree();
    for (const code of ['ESRCH', 'EPERM']) {
      failing.set(-1_000, code);
      expect(await pids(tree.sweep('SIGKILL'))).toEqual([1_000]);
      expect(tree.signalOnce('SIGINT')).toBe(false);
    }
    table.entries = [];
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
  });

  test.each([1, 0, -5, Number.NaN])('are never sent for the pid %s (G1)', async (pid) => {
    const { tree, sent } = fakeTree(entry(pid, { group: pid, session: pid }));
    await tree.sweep('SIGKILL');
    expect(tree.signalOnce('SIGKILL')).toBe(false);
    expect(sent).toEqual([]);
  });
});

describe('what the system cannot say', () => {
  test('about who is who is no proof either: such a process is named, and not signalled', async () => {
    const { tree, table, sent } = fakeTree();
    const young = entry(1_001, { ...OURS, start: undefined });
    table.entries = [young];
    await tree.leaderReaped();
    expect(await pids(tree.sweep('SIGKILL'))).toEqual([1_001]);
    expect(sent).toEqual([]);
    table.entries = [{ ...young, group: 8, session: 8 }];
    expect(await pids(tree.sweep('SIGKILL'))).toBe('gone');
  });

  test('is no proof of an end, and nobody is signalled for it', async () => {
    const { tree, table, sent } = fakeTree();
    const sighting = await tree.sweep('SIGTERM');
    const [found] = sighting.state === 'alive' ? sighting.members : [];
    table.isBroken = true;
    sent.length = 0;
    expect(() => tree.sweep('SIGKILL')).toThrow('EMFILE');
    expect(found?.isAlive()).toBe(true);
    // A survivor is named all the same: its receipt does not fail for lack of its name.
    expect([found?.name, found?.command]).toEqual(['unknown', 'unknown']);
    expect(tree.hasLeaderEnded()).toBe(false);
    expect(await pids(tree.leaderReaped())).toBe('unknown');
    expect(sent).toEqual([]);
  });
});
