/**
 * Helpers for the tests of servers that use runfence: time without waiting, a backend that fails and
 * delays on demand, and a check that nothing was left behind.
 *
 * @packageDocumentation
 */

export { FakeClock, flush } from './fake-clock.js';
