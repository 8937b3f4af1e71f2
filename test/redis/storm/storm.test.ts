import { test } from 'vitest';
import { holdsInStorm } from '../../support/stores/storms.js';
import { Sea } from './upheavals.js';

const SECONDS = Number(process.env.STORM_SECONDS ?? 60);

// A minute of it: `npm run storm:redis`.
test(
  'a storm of kills, pauses, partitions and failovers: no number twice, no overlap, no stop missed',
  {
    timeout: SECONDS * 1_000 + 120_000,
  },
  () => holdsInStorm('redis', SECONDS, Sea.start()),
);
