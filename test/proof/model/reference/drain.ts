import type { Reference } from '../reference.js';
import { EPILOGUE_MS, WRITE_GRACE_MS } from './lock.js';
import { longestGrace, type Run, withDescendants } from './run.js';
import type { Time } from './time.js';

/** No new runs; queued ones end at once; the others within the grace, or they are aborted. */
export function drain(model: Reference, label: string, graceMs: number): void {
  const { journal, time } = model;
  const live = (): Run[] => model.unquiet.filter(({ isLive }) => isLive);
  model.phase = 'draining';
  journal.promise(label);
  model.ending.cut([...model.queue.lines.values()].flat(), { reason: 'shutdown' });
  const abortRest = (): void => {
    const left = withDescendants(model.unquiet);
    model.ending.cut(left, { reason: 'shutdown' });
    const close = (): void =>
      time.later(() => {
        const isQuiet = left.every((run) => run.isQuiet);
        model.phase = 'closed';
        for (const run of [...model.ending.retained]) model.ending.forget(run);
        for (const lock of model.locks.values()) lock.close();
        journal.settle(label, `quiet ${isQuiet} ${left.map(({ id }) => id).join()}`);
      });
    // What is still being saved then would be lost with the process: it has its own bounds.
    whenQuiet(time, left, longestGrace(left), () => {
      const saving = left.filter(({ epilogue, lock }) => epilogue === 'pending' || lock === 'pending');
      if (saving.length === 0) close();
      else whenQuiet(time, saving, (WRITE_GRACE_MS + EPILOGUE_MS) * saving.length, close);
    });
  };
  if (graceMs === 0 || live().length === 0) {
    abortRest();
    return;
  }
  let isOver = false;
  const over = (): void => {
    if (!isOver) time.later(abortRest);
    isOver = true;
    time.cancel(deadline);
  };
  const deadline = time.after(graceMs, over);
  const watch = (): void => {
    const [next] = live();
    if (next === undefined) over();
    else next.onEnd.add(watch);
  };
  watch();
}

/** Until all are quiet, or the time is over. */
export function whenQuiet(time: Time, runs: readonly Run[], timeoutMs: number, then: (isQuiet: boolean) => void): void {
  const pending = new Set(runs.filter(({ isQuiet }) => !isQuiet));
  if (pending.size === 0 || timeoutMs === 0) {
    then(pending.size === 0);
    return;
  }
  const deadline = time.after(timeoutMs, () => {
    for (const run of runs) run.onQuiet.delete(listener);
    // Whoever waited hears of it when all that falls due at this instant has happened.
    time.later(() => then(runs.every(({ isQuiet }) => isQuiet)));
  });
  const listener = (): void => {
    if (runs.some(({ isQuiet }) => !isQuiet)) return;
    time.cancel(deadline);
    then(true);
  };
  for (const run of pending) run.onQuiet.add(listener);
}
