import { test } from 'vitest';
import { holdsInStorm, stopsHold } from '../../support/stores/storms.js';
import { onRedis } from '../storm/stops.js';
import { Sea } from '../storm/upheavals.js';

// A short one of each. The long ones: `npm run storm:redis`.
test(
  'a storm of kills, pauses, partitions and failovers: no number twice, no overlap, no stop missed',
  {
    timeout: 120_000,
  },
  () => holdsInStorm('redis', 8, Sea.start()),
);

test(
  'no stop and no takeover between two machines is lost, nor an epilogue, nor does a receipt say otherwise',
  {
    timeout: 120_000,
  },
  () => stopsHold('redis', 8, onRedis()),
);
