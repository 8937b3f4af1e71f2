import { claims } from './claims.js';
import { controls } from './controls.js';
import { crashes } from './crashes.js';
import { ends } from './ends.js';
import { epilogues } from './epilogues.js';
import { faults } from './faults.js';
import { generations } from './generations.js';
import { hygiene } from './hygiene.js';
import { locks } from './locks.js';
import { notices } from './notices.js';
import { pauses } from './pauses.js';
import type { Scenario } from './scenario.js';
import { staged } from './staged.js';
import { stops } from './stops.js';
import { waiting } from './waiting.js';

/** Everything that a backend must do, by what it is about. */
export const SCENARIOS: readonly Scenario[] = [
  ...generations,
  ...claims,
  ...stops,
  ...ends,
  ...locks,
  ...epilogues,
  ...notices,
  ...waiting,
  ...controls,
  ...faults,
  ...crashes,
  ...pauses,
  ...hygiene,
  ...staged,
];
