import { type Fact, generationKey, type History, runKey, type Violation } from './history.js';

type Ended = Extract<Fact, { readonly type: 'run:ended' | 'run:started' | 'run:quiet' | 'effect:fenced' }>;

export function outcomeText(status: string, reason: string | undefined): string {
  return reason === undefined ? status : `aborted ${reason}`;
}

/** 2: the owner, the record, whoever waits and every receipt tell one story of how a run ended. */
export function oneStory(history: History): Violation[] {
  const recorded = new Map(history.all('recorded').map((fact) => [generationKey(fact), fact.outcome]));
  return [...byOwners(history, recorded), ...byOthers(history), ...byReceipts(history)].map((text) => ({
    invariant: 2,
    text,
  }));
}

/** The owner says what the record says, unless it was told that the record could not be asked. */
function byOwners(history: History, recorded: ReadonlyMap<string, string>): string[] {
  const cutByCall = new Set(
    history.all('stop').flatMap(({ nodeId, runIds }) => runIds.map((runId) => runKey({ nodeId, runId }))),
  );
  return history.all('run:ended').flatMap((fact): string[] => {
    const { run } = fact;
    const said = outcomeText(run.status, run.reason);
    const wrong =
      cutByCall.has(runKey(run)) && run.reason === undefined ? [`${run.runId} was stopped, and is ${said}`] : [];
    const record = recorded.get(generationKey(run));
    if (run.generation > 0 && record !== undefined && record !== said && !isInDoubt(history, fact)) {
      wrong.push(`${run.runId} is ${said} to its owner, and ${record} in the record`);
    }
    return wrong;
  });
}

/** By the time that it said so, an operation on this run, or on its session as a whole, was not answered. */
function isInDoubt(history: History, ended: Ended): boolean {
  const { runId, sessionKey, nodeId } = ended.run;
  const until = history.at(ended);
  return history
    .all('error')
    .some(
      (fact) =>
        fact.nodeId === nodeId &&
        fact.code === 'BACKEND_UNAVAILABLE' &&
        (fact.runId === runId || (fact.runId === undefined && fact.sessionKey === sessionKey)) &&
        (fact.time === ended.time || history.at(fact) < until),
    );
}

/** A node hears from the record of another node's run, and of its own what it has announced. */
function byOthers(history: History): string[] {
  const ended = history.all('run:ended').map(({ run }) => ({ ...run, outcome: outcomeText(run.status, run.reason) }));
  const recorded = history.all('recorded');
  const refused = new Set(history.all('refused').map(({ runId }) => runId));
  const asked = new Set(history.all('asked').map(runKey));
  return history.all('told').flatMap(({ nodeId, runId, outcome, from }): string[] => {
    const own = ended.filter((one) => one.runId === runId && one.nodeId === nodeId);
    const said = [...own, ...recorded.filter((one) => one.runId === runId)];
    // Refused while it was admitted, it is to its twin as if it had been stopped.
    const isTwin = outcome === 'aborted policy' && refused.has(runId);
    // Stopped before it was known to be a duplicate.
    const isCandidate = own.length === 0 && asked.has(runKey({ nodeId, runId }));
    // One that never began, and that nobody was told of, has no events.
    if (isTwin || isCandidate || said.length === 0 || said.some((one) => one.outcome === outcome)) return [];
    return [`${from} says that ${runId} is ${outcome}, and it is ${said.map((one) => one.outcome).join()}`];
  });
}

/**
 * What a receipt names of other nodes was stopped by then, by this stop or by one before it, whose reason stays. A stop
 * for all nodes may come after an end.
 */
function byReceipts(history: History): string[] {
  const stopped = history.all('recorded').filter(({ outcome }) => outcome.startsWith('aborted '));
  return history.all('acknowledged').flatMap((told): string[] => {
    if (told.isListed || told.recorded !== 'cluster') return [];
    const isStopped = (runId: string): boolean =>
      stopped.some((one) => one.runId === runId && history.at(one) < history.at(told));
    return told.elsewhere
      .filter((runId) => !isStopped(runId))
      .map((runId) => `a receipt says that ${runId} was stopped, and the record did not by then`);
  });
}
