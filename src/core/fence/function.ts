import type { FencedRun } from './fenced-run.js';

export function fenceFunction<A extends readonly unknown[], R>(
  run: FencedRun,
  sink: (...args: A) => R,
): (...args: A) => R | undefined {
  return function (this: unknown, ...args) {
    if (run.current) return Reflect.apply(sink, this, args);
    run.refused();
    return undefined;
  };
}
