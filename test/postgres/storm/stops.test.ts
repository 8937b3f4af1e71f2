import { inject, test } from 'vitest';
import { stopsHold } from '../../support/stores/storms.js';
import { onPostgres } from './stops.js';

const ROUNDS = Number(process.env.STOPS_ROUNDS ?? 100);

// Two minutes of it: `npm run storm:postgres`.
test(
  'no stop and no takeover between two machines is lost, nor an epilogue, nor does a receipt say otherwise',
  {
    timeout: 600_000,
  },
  () => stopsHold('postgres', ROUNDS, onPostgres(inject('postgresTemplate'))),
);
