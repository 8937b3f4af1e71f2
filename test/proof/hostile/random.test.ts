import { test } from 'vitest';
import { play } from './scenario.js';
import { everySeed } from './settings.js';

const LATE = { latencyMs: 40, refused: 0.05, broken: 0.05, stalled: 0.05, lostNotices: 0.1 };

test.each([
  { what: 'one node, late answers', nodes: 1, faults: { latencyMs: 40 } },
  { what: 'one node, refusals and time-outs', nodes: 1, faults: LATE },
  { what: 'one node, answers that never come', nodes: 1, faults: { ...LATE, lost: 0.05 } },
  { what: 'two nodes, late answers', nodes: 2, faults: { latencyMs: 40 } },
  { what: 'two nodes, refusals, time-outs and lost notices', nodes: 2, faults: LATE },
  { what: 'two nodes, answers that never come', nodes: 2, faults: { ...LATE, lost: 0.05 } },
])('random runs: $what', ({ what, nodes, faults }) => everySeed(what, 100, (seed) => play(seed, nodes, faults)));
