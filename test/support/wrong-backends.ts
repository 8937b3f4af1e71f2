import { ATTEMPTS } from './wrong/attempts.js';
import { BURIALS } from './wrong/burials.js';
import { CLAIMS } from './wrong/claims.js';
import { EPILOGUES } from './wrong/epilogues.js';
import { LISTS } from './wrong/lists.js';
import { LOCKS } from './wrong/locks.js';
import { NOTICES } from './wrong/notices.js';
import { NUMBERS } from './wrong/numbers.js';
import type { WrongBackend } from './wrong/over.js';
import { READS } from './wrong/reads.js';
import { RESULTS } from './wrong/results.js';
import { STOPS } from './wrong/stops.js';

/** One for each rule of the port. */
export const WRONG_BACKENDS: readonly WrongBackend[] = [
  ...NUMBERS,
  ...CLAIMS,
  ...ATTEMPTS,
  ...RESULTS,
  ...STOPS,
  ...LISTS,
  ...LOCKS,
  ...EPILOGUES,
  ...READS,
  ...NOTICES,
  ...BURIALS,
];
