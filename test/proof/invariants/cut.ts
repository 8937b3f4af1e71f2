import { type Activity, type Fact, type History, runKey, type Violation } from './history.js';

/** Where in the history each run (by its `runKey`) was seen to be over for the first time, by any witness. */
export function cuts(history: History): Map<string, number> {
  const first = new Map<string, number>();
  history.facts.forEach((fact, at) => {
    for (const key of overIn(fact)) if (!first.has(key)) first.set(key, at);
  });
  return first;
}

function overIn(fact: Fact): readonly string[] {
  switch (fact.type) {
    case 'run:aborted':
    case 'run:ended':
    case 'run:quiet':
      return [runKey(fact.run)];
    case 'signal':
      return [runKey(fact)];
    case 'stop':
      return fact.runIds.map((runId) => runKey({ nodeId: fact.nodeId, runId }));
    default:
      return [];
  }
}

/** 1: nothing that is fenced, gated or committed starts once its run is over. */
export function noLateEffect(history: History): Violation[] {
  const over = cuts(history);
  return history.facts.flatMap((fact, at): Violation[] => {
    const starts = fact.type === 'effect' || (fact.type === 'begun' && isGuarded(fact.what));
    if (!starts || at < (over.get(runKey(fact)) ?? Number.POSITIVE_INFINITY)) return [];
    const what = fact.type === 'effect' ? fact.name : fact.what;
    return [{ invariant: 1, text: `${what} of ${fact.runId} started after the cut` }];
  });
}

/** An epilogue is what comes after the cut, and the holder of a handle is not called. */
function isGuarded(what: Activity): boolean {
  return what !== 'epilogue' && what !== 'handle';
}
