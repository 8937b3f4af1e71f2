import type { FencedRun } from './fenced-run.js';

export function fenceFunction<A extends readonly unknown[], R>(
  run: FencedRun,
  sink: (...args: A) => R,
): (...args: A) => R | undefined {
  return (...args) => {
    if (run.current) return sink(...args);
    run.refused();
    return undefined;
  };
}
