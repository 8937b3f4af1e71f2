/**
 * Helpers for the tests of servers that use runfence: time without waiting, a backend that fails and
 * delays on demand, and a check that nothing was left behind.
 *
 * @module runfence/testing
 */

export { type ExpectQuietOptions, expectQuiet, NotQuietError } from './expect-quiet.js';
export { FakeClock, flush } from './fake-clock.js';
export { type BackendMethod, FaultyBackend, type FaultyBackendOptions } from './faulty-backend.js';
export type { RandomFaults } from './random-faults.js';
