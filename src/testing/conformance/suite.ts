import { randomInt } from 'node:crypto';
import { Bench } from './bench.js';
import type { ConformanceOptions } from './options.js';
import { SCENARIOS } from './scenarios.js';

const TIMEOUT_MS = 60_000;

/**
 * Declares the tests that every backend must pass. Each name begins with a short word for its scenario, which stays
 * the same from version to version: `version-moves`. A scenario that a backend cannot have is not declared: `skip`
 * hears of it, and the report, which is printed when all tests are over, names it with its reason.
 *
 * @param options - the backend, the test runner, and what the backend can have
 *
 * @example
 * ```ts
 * import { memory } from 'runfence/backend';
 * import { backendConformance } from 'runfence/testing';
 *
 * const bodies: (() => Promise<void>)[] = [];
 * const report: string[] = [];
 * let finish = () => {};
 * backendConformance({
 *   name: 'memory',
 *   test: (_name, body) => bodies.push(body),
 *   afterAll: (body) => {
 *     finish = body;
 *   },
 *   print: (line) => report.push(line),
 *   open: () => {
 *     const backend = memory();
 *     return { address: '', connect: () => backend, destroy: () => {} };
 *   },
 *   isDurable: false,
 *   share: 0.01,
 * });
 * for (const body of bodies) await body();
 * finish();
 * console.assert(report[0]?.startsWith('conformance memory: '));
 * ```
 */
export function backendConformance(options: ConformanceOptions): void {
  const seed = options.seed ?? randomInt(2 ** 32);
  const passed: string[] = [];
  const failed: string[] = [];
  const skipped: { readonly name: string; readonly reason: string }[] = [];
  SCENARIOS.forEach((scenario, at) => {
    const { name, timeoutMs = TIMEOUT_MS } = scenario;
    const reason = scenario.lacks?.(options);
    if (reason !== undefined) {
      skipped.push({ name, reason });
      options.skip?.(name, reason);
      return;
    }
    const body = async (): Promise<void> => {
      const bench = new Bench(options, (seed + at) >>> 0);
      try {
        await scenario.run(bench).finally(() => bench.takeAway());
        passed.push(name);
      } catch (error) {
        failed.push(name);
        throw new Error(`${name} (seed ${seed}): ${(error as Error).message}`, { cause: error });
      }
    };
    options.test(name, body, timeoutMs);
  });
  options.afterAll(() => {
    const failures = failed.length === 0 ? '' : `, ${failed.length} failed`;
    const counts = `${passed.length} passed${failures}, ${skipped.length} skipped`;
    options.print(`conformance ${options.name}: ${counts} (seed ${seed}, share ${options.share ?? 1})`);
    for (const { name, reason } of skipped) options.print(`  skipped: ${name}: ${reason}`);
  });
}
