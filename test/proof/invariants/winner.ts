import { groups, type History, runKey, type Violation } from './history.js';

/** 2: one terminal outcome a run, and whoever asks hears the first one. */
export function oneOutcome(history: History): Violation[] {
  const wrong: Violation[] = [];
  const ends = groups(history.all('run:ended'), (fact) => runKey(fact.run));
  for (const [key, facts] of ends) {
    if (facts.length > 1) wrong.push({ invariant: 2, text: `${key} ended ${facts.length} times` });
  }
  for (const { run } of history.all('run:started')) {
    const isOver = history.all('run:aborted', 'run:quiet').some((fact) => runKey(fact.run) === runKey(run));
    if (isOver && !ends.has(runKey(run))) wrong.push({ invariant: 2, text: `${run.runId} was cut and never ended` });
  }
  const said = groups(history.all('outcome', 'run:ended'), (fact) => runKey(fact.type === 'outcome' ? fact : fact.run));
  for (const [key, facts] of said) {
    const statuses = new Set(facts.map((fact) => terminal(fact.type === 'outcome' ? fact.status : fact.run.status)));
    if (statuses.size > 1) wrong.push({ invariant: 2, text: `${key} has the outcomes ${[...statuses].join(', ')}` });
  }
  return wrong;
}

/**
 * 2: a run that was taken over from has a successor that lives, was stopped itself, or was refused aloud.
 *
 * @param isKnown - whether a node still shows the run: one that was over before it began has no events
 */
export function oneTakeover(history: History, isKnown: (runId: string) => boolean = () => false): Violation[] {
  const replaced = new Map(history.all('replaced').map((fact) => [`${fact.runId} ${fact.generation}`, fact]));
  const startedOn = new Map(history.all('run:started').map(({ run }) => [runKey(run), run]));
  const startedAnywhere = new Map(history.all('run:started').map(({ run }) => [run.runId, run]));
  // The notice of its stop may overtake the answer that gives a run its generation.
  const beforeItsAnswer = ({ runId }: { readonly runId: string }) =>
    history.all('replaced').find((fact) => fact.runId === runId);
  const stopped = new Set(history.all('run:aborted').map(({ run }) => run.runId));
  for (const { runIds } of history.all('stop')) for (const runId of runIds) stopped.add(runId);
  // In the record, before its node had announced it.
  for (const { runId, outcome } of history.all('recorded')) if (outcome.startsWith('aborted')) stopped.add(runId);
  const told = new Set(history.all('refused', 'outcome').map(({ runId }) => runId));
  return history.all('run:aborted').flatMap(({ run, reason, ...cut }): Violation[] => {
    if (reason !== 'superseded') return [];
    // One that was replaced by another node, and whose node missed the notice, has read the reason back, and not by whom.
    const read = cut.supersededBy === undefined ? replaced.get(`${run.runId} ${run.generation}`) : undefined;
    const supersededBy = cut.supersededBy ?? read?.by;
    if (supersededBy === undefined) return [{ invariant: 2, text: `${run.runId} was superseded by nobody` }];
    // By node and id: another node may have had a run of that id, which is over.
    const fact =
      replaced.get(`${run.runId} ${run.generation}`) ?? (run.generation > 0 ? undefined : beforeItsAnswer(run));
    const by = fact?.by === supersededBy ? fact.nodeId : run.nodeId;
    // One that had to wait for quiet has stopped it by name, and has begun later.
    const later = startedAnywhere.get(supersededBy);
    const isLater = later !== undefined && later.generation > run.generation;
    const next = startedOn.get(runKey({ nodeId: by, runId: supersededBy })) ?? (isLater ? later : undefined);
    if (next !== undefined && run.generation > 0 && next.generation <= run.generation) {
      return [{ invariant: 2, text: `${run.runId} was superseded by the older ${supersededBy}` }];
    }
    if (next !== undefined || isKnown(supersededBy) || stopped.has(supersededBy) || told.has(supersededBy)) return [];
    return [{ invariant: 2, text: `${supersededBy} took over from ${run.runId}, and never started` }];
  });
}

function terminal(status: string): string {
  return status === 'stopping' ? 'aborted' : status;
}
