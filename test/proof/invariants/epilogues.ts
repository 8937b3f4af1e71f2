import { type History, runKey, type Violation } from './history.js';

/** 8: an epilogue that a run had announced before it was stopped has run, or was named to `onError`. */
export function announcedEpilogues(history: History): Violation[] {
  const announced = new Set<string>();
  const due = new Map<string, string>();
  const done = new Set<string>();
  for (const fact of history.facts) {
    if (fact.type === 'announced') announced.add(runKey(fact));
    else if (fact.type === 'begun' && fact.what === 'epilogue') done.add(runKey(fact));
    else if (fact.type === 'error' && fact.code === 'NOT_SAVED') done.add(runKey(fact));
    else if (fact.type === 'run:aborted' && announced.has(runKey(fact.run))) due.set(runKey(fact.run), fact.run.runId);
  }
  return [...due]
    .filter(([key]) => !done.has(key))
    .map(([, runId]) => ({ invariant: 8, text: `the epilogue of ${runId} was neither done nor named` }));
}
