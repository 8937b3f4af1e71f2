import { announcements } from './announcements.js';
import { attempts } from './attempts.js';
import { burials } from './burials.js';
import { candidates } from './candidates.js';
import { claims } from './claims.js';
import { controls } from './controls.js';
import { crashes } from './crashes.js';
import { ends } from './ends.js';
import { epilogues } from './epilogues.js';
import { faults } from './faults.js';
import { generations } from './generations.js';
import { hygiene } from './hygiene.js';
import { lists } from './lists.js';
import { locks } from './locks.js';
import { notices } from './notices.js';
import { pauses } from './pauses.js';
import { reads } from './reads.js';
import type { Scenario } from './scenario.js';
import { staged } from './staged.js';
import { stops } from './stops.js';
import { takeovers } from './takeovers.js';
import { versions } from './versions.js';
import { waiting } from './waiting.js';

/** Everything that a backend must do, by what it is about. */
export const SCENARIOS: readonly Scenario[] = [
  ...generations,
  ...versions,
  ...claims,
  ...takeovers,
  ...stops,
  ...candidates,
  ...lists,
  ...ends,
  ...attempts,
  ...locks,
  ...announcements,
  ...epilogues,
  ...reads,
  ...notices,
  ...burials,
  ...waiting,
  ...controls,
  ...faults,
  ...crashes,
  ...pauses,
  ...hygiene,
  ...staged,
];
