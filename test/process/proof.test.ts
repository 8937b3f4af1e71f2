import { describe, expect, test } from 'vitest';
import type { Ended, ProcessEntry } from '../../src/process/process-table.js';
import { isProof } from '../../src/process/proof.js';
import { entry, lookAt } from './fakes.js';

const LEADER = entry(1_000, { group: 1_000, session: 1_000 });
const ELDER = entry(50, { start: 10 });

/** A look that found no member. `asked` could not be asked for its mark, `ended` has ended during the look. */
function proves(
  entries: readonly ProcessEntry[],
  given: { asked?: ProcessEntry; ended?: Ended; was?: 'killed' | 'member' | 'stranger'; zombies?: ProcessEntry[] } = {},
): boolean {
  const { asked, ended, was, zombies = [] } = given;
  const all = [...entries, ...zombies, ...(asked === undefined ? [] : [asked])];
  return isProof(lookAt(all, ended === undefined ? [] : [ended]), {
    leader: LEADER,
    members: new Set(zombies),
    unanswered: new Set(asked === undefined ? [] : [asked]),
    hadEnded: () => was === 'killed',
    wasMember: () => was === 'member',
    wasStranger: () => was === 'stranger',
  });
}

const ORPHAN = entry(1_002);

describe('a look that found nobody is a proof', () => {
  test('if it met nobody who could be one of the tree', () => {
    expect(proves([ELDER])).toBe(true);
  });

  test('not if an orphan could not be asked, or has ended: of it and of its children nothing is known', () => {
    expect(proves([], { asked: ORPHAN })).toBe(false);
    expect(proves([], { ended: { pid: 1_002, last: ORPHAN } })).toBe(false);
    for (const parent of [1, process.pid]) {
      expect(proves([entry(parent, { start: 1 })], { asked: { ...ORPHAN, parent } })).toBe(false);
    }
  });

  test('not if somebody has ended of whom nothing is known', () => {
    expect(proves([], { ended: { pid: 7, last: undefined } })).toBe(false);
  });

  test('if the one is older than the tree', () => {
    expect(proves([], { ended: { pid: 50, last: ELDER } })).toBe(true);
  });

  test('if the one was asked before, or was killed before', () => {
    for (const was of ['stranger', 'killed'] as const) {
      expect(proves([], { ended: { pid: 1_002, last: ORPHAN }, was })).toBe(true);
    }
  });

  test('not if one of the tree has ended that was not killed: it may have started another', () => {
    expect(proves([ELDER], { ended: { pid: 1_002, last: { ...ORPHAN, parent: 50 } }, was: 'member' })).toBe(false);
    const zombie = { ...LEADER, isDead: true };
    expect(proves([], { zombies: [zombie], ended: { pid: 1_000, last: zombie } })).toBe(false);
    expect(proves([], { zombies: [zombie] })).toBe(true);
  });

  test('if the one was started by somebody who is none of the tree, or from outside of what is to be seen', () => {
    for (const parent of [50, 0]) {
      expect(proves([ELDER], { asked: { ...ORPHAN, parent } })).toBe(true);
      expect(proves([ELDER], { ended: { pid: 1_002, last: { ...ORPHAN, parent } } })).toBe(true);
    }
  });

  test('not if its parent is not there, is dead, is of the tree, or is younger than its child', () => {
    expect(proves([], { asked: { ...ORPHAN, parent: 60 } })).toBe(false);
    expect(proves([entry(60, { isDead: true })], { asked: { ...ORPHAN, parent: 60 } })).toBe(false);
    expect(proves([], { asked: { ...ORPHAN, parent: 60 }, zombies: [entry(60)] })).toBe(false);
    expect(proves([entry(60, { start: 101 })], { asked: { ...ORPHAN, parent: 60 } })).toBe(false);
    // In a group that may be the tree's.
    const known = entry(60, { group: 1_000, start: 99 });
    expect(proves([known], { asked: { ...ORPHAN, parent: 60 } })).toBe(false);
  });

  test('not if somebody young has the number of its group or of its session, unless the leader’s pid was given away', () => {
    for (const number of ['group', 'session']) {
      const claimant = entry(1_002, { [number]: 1_000 });
      expect(proves([claimant])).toBe(false);
      expect(proves([claimant], { was: 'stranger' })).toBe(false);
      expect(proves([claimant, entry(1_000, { start: 300 })])).toBe(true);
    }
  });
});
