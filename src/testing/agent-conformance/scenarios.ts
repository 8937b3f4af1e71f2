import { FAILURES } from './failures.js';
import type { Scenario } from './scenario.js';
import { SENDS } from './sends.js';
import { STOPS } from './stops.js';

/** In the order in which they are declared. */
export const SCENARIOS: readonly Scenario[] = [...SENDS, ...STOPS, ...FAILURES];
