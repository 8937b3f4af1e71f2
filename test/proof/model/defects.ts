import type { Backend, Run, RunControl } from 'runfence';
import { FakeClock } from 'runfence/testing';
import type { Defect } from './world.js';

/** Overrides some members of an object, and passes the rest on. */
function over<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get: (_target, name) => {
      const own = (replaced as Record<PropertyKey, unknown>)[name];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const onBackend = (replaced: (backend: Backend) => Partial<Backend>): Defect => ({
  backend: (backend) => over(backend, replaced(backend)),
});
const onRun = (replaced: (run: Run) => Partial<Run>): Defect => ({ run: (run) => over(run, replaced(run)) });

/** Nothing is changed: what the model finds in the defects below is not the wrapping. */
export const HARMLESS: Defect = {
  ...onBackend(() => ({})),
  ...onRun(() => ({})),
  control: (control) => over(control, {}),
};

/** Deliberate defects. If the model does not find one of them, it proves nothing. */
export const DEFECTS: Readonly<Record<string, Defect>> = {
  'isCurrent() is always true': onRun(() => ({ isCurrent: () => true })),
  'a fence lets everything through': onRun(() => ({ fence: ((sink: unknown) => sink) as Run['fence'] })),
  'a gate starts tools of stale runs': onRun((run) => ({
    gate: (tool, options) =>
      run.isCurrent()
        ? run.gate(tool, options)
        : async function (...args) {
            return Reflect.apply(tool, this, args);
          },
  })),
  'complete() always wins': onRun((run) => ({
    complete: (value) => {
      run.complete(value);
      return true;
    },
  })),
  'the backend hands out a generation twice': onBackend((backend) => ({
    claim: (request) => {
      const answer = backend.claim(request);
      return 'kind' in answer && answer.kind === 'granted' ? { ...answer, generation: 1 } : answer;
    },
  })),
  'the backend drops stops': onBackend(() => ({
    stop: () => ({ epilogues: [], number: undefined, runs: [], version: 0, snapshot: undefined }),
  })),
  'the backend grants the lock once': onBackend((backend) => ({
    unlock: () => ({ wasHeld: true, version: 0, snapshot: undefined }),
    lock: (request) => backend.lock(request),
  })),
  'the backend keeps no place for epilogues': onBackend((backend) => ({
    stop: (request) =>
      backend.stop({ ...request, runs: request.runs.map((item) => ({ ...item, hasEpilogue: false })) }),
    announce: () => ({ kind: 'announced', epilogue: undefined, version: 0, snapshot: undefined }),
  })),
  'everybody may stop everything': {
    control: (control) =>
      over(control, { abort: (selector, { requester: _, ...options } = {}) => control.abort(selector, options) }),
  },
  'an abort leaves queued runs': {
    control: (control) =>
      over(control, {
        abort: (selector, options) =>
          control.abort(selector, options?.intent ? options : { ...options, queued: 'keep' }),
      }),
  },
  'events come after the next one': {
    control: (control) => {
      const late: (() => void)[] = [];
      const on: RunControl['on'] = (event, listener) =>
        control.on(event, (value) => {
          late.push(() => listener(value));
          if (late.length > 1) late.shift()?.();
        });
      return over(control, { on });
    },
  },
  'deadlines are reached late': {
    clock: () => {
      const clock = new FakeClock();
      return over(clock, { setTimeout: (callback, ms) => clock.setTimeout(callback, ms + 1) });
    },
  },
};
