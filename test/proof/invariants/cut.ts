import type { Activity, Fact, History, Violation } from './history.js';

/** Where in the history each run was seen to be over for the first time, by any witness. */
export function cuts(history: History): Map<string, number> {
  const first = new Map<string, number>();
  history.facts.forEach((fact, at) => {
    for (const runId of overIn(fact)) if (!first.has(runId)) first.set(runId, at);
  });
  return first;
}

function overIn(fact: Fact): readonly string[] {
  switch (fact.type) {
    case 'run:aborted':
    case 'run:ended':
    case 'run:quiet':
      return [fact.run.runId];
    case 'signal':
      return [fact.runId];
    case 'stop':
      return fact.runIds;
    default:
      return [];
  }
}

/** 1: nothing that is fenced, gated or committed starts once its run is over. */
export function noLateEffect(history: History): Violation[] {
  const over = cuts(history);
  return history.facts.flatMap((fact, at): Violation[] => {
    const starts = fact.type === 'effect' || (fact.type === 'begun' && isGuarded(fact.what));
    if (!starts || at < (over.get(fact.runId) ?? Number.POSITIVE_INFINITY)) return [];
    const what = fact.type === 'effect' ? fact.name : fact.what;
    return [{ invariant: 1, text: `${what} of ${fact.runId} started after the cut` }];
  });
}

/** An epilogue is what comes after the cut, and the holder of a handle is not called. */
function isGuarded(what: Activity): boolean {
  return what !== 'epilogue' && what !== 'handle';
}
