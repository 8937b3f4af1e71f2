import { inject, test } from 'vitest';
import { holdsInStorm, stopsHold } from '../../support/stores/storms.js';
import { onPostgres } from '../storm/stops.js';
import { Sea } from '../storm/upheavals.js';

// A short one of each. The long ones: `npm run storm:postgres`.
test(
  'a storm of kills, pauses, partitions and failovers: no number twice, no overlap, no stop missed',
  {
    timeout: 120_000,
  },
  () => holdsInStorm('postgres', 8, Sea.start(inject('postgresTemplate'))),
);

test(
  'no stop and no takeover between two machines is lost, nor an epilogue, nor does a receipt say otherwise',
  {
    timeout: 120_000,
  },
  () => stopsHold('postgres', 8, onPostgres(inject('postgresTemplate'))),
);
