import { test } from 'vitest';
import type { Ground } from './nodes.js';
import { play } from './scenario.js';
import { everySeed } from './settings.js';

const LATE = { latencyMs: 40, refused: 0.05, broken: 0.05, stalled: 0.05 };
const DEAF = { ...LATE, lostNotices: 0.1 };
const WORST = { ...DEAF, lost: 0.05, doubled: 0.1, doubledNotices: 0.1 };

const GROUNDS: readonly {
  readonly what: string;
  readonly nodes: number;
  readonly ground: Ground;
  readonly runs: number;
}[] = [
  { what: 'one node, its own ledger', nodes: 1, ground: 'private', runs: 30 },
  { what: 'one node, a memory', nodes: 1, ground: 'memory', runs: 20 },
  { what: 'three nodes, a memory', nodes: 3, ground: 'memory', runs: 30 },
  { what: 'one node, late answers', nodes: 1, ground: { latencyMs: 40 }, runs: 20 },
  { what: 'one node, refusals and time-outs', nodes: 1, ground: LATE, runs: 20 },
  { what: 'one node, answers that never come, and requests that come twice', nodes: 1, ground: WORST, runs: 20 },
  { what: 'two nodes, late answers', nodes: 2, ground: { latencyMs: 40 }, runs: 30 },
  { what: 'two nodes, refusals and time-outs', nodes: 2, ground: LATE, runs: 30 },
  { what: 'two nodes, lost notices', nodes: 2, ground: DEAF, runs: 30 },
  {
    what: 'two nodes, requests that come twice',
    nodes: 2,
    ground: { latencyMs: 40, doubled: 0.3, doubledNotices: 0.3 },
    runs: 20,
  },
  { what: 'two nodes, everything', nodes: 2, ground: WORST, runs: 30 },
  { what: 'three nodes, everything', nodes: 3, ground: WORST, runs: 20 },
];

test.each(GROUNDS)('random runs: $what', ({ what, nodes, ground, runs }) =>
  everySeed(what, runs, (seed) => play(seed, nodes, ground)),
);
