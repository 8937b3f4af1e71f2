import type { QuietReport, RunReport } from 'runfence';
import { cuts } from './cut.js';
import { type History, runKey } from './history.js';

/** 8: what a receipt says of its runs is what is there. Asked when it has just been made. */
export function checkReport(history: History, { runs, quiet }: QuietReport): void {
  if (quiet !== runs.every(({ state }) => state === 'quiet')) history.wrong(8, 'quiet, and a run that is not');
  for (const report of runs) checkRun(history, report);
}

function checkRun(history: History, report: RunReport): void {
  const { runId, state, leftovers, lock, epilogue } = report;
  const key = runKey(report);
  const wrong = (text: string): void => history.wrong(8, `the receipt says of ${runId}: ${text}`);
  const there = inFlight(history, key);
  if (state === 'quiet' && leftovers.length > 0) wrong(`quiet, with leftovers ${leftovers}`);
  if (state === 'quiet' && there.length > 0) wrong(`quiet, while ${there} is there`);
  // It may wait for nothing but the word of a record that does not answer.
  const isTold = history.all('run:ended').some((fact) => runKey(fact.run) === key);
  const isInDoubt = history.all('error').some((fact) => fact.runId === runId && fact.code === 'BACKEND_UNAVAILABLE');
  if (state === 'leftovers' && leftovers.length === 0 && isTold && !isInDoubt) wrong('leftovers, and names none');
  const saved = history.all('begun').some((fact) => runKey(fact) === key && fact.what === 'epilogue');
  if (epilogue === 'done' && !saved) wrong('its epilogue is done, which never began');
  if ((epilogue === 'none' || epilogue === 'skipped') && saved) wrong(`its epilogue is ${epilogue}, which began`);
  if (lock === 'released' && holds(history, key)) wrong('its lock is released, which it holds');
}

function inFlight(history: History, key: string): string[] {
  const all: string[] = [];
  for (const fact of history.all('begun', 'over')) {
    if (runKey(fact) !== key) continue;
    if (fact.type === 'begun') all.push(fact.what);
    else all.splice(all.indexOf(fact.what), 1);
  }
  return all;
}

/** A grant of its own, and not its epilogue's. */
function holds(history: History, key: string): boolean {
  const over = cuts(history).get(key) ?? Number.POSITIVE_INFINITY;
  const granted = history.all('lock:granted').filter((fact) => runKey(fact) === key && history.at(fact) < over);
  const freed = history.all('lock:released', 'lock:lost');
  return granted.some(
    (grant) => !freed.some((fact) => fact.token === grant.token && fact.sessionKey === grant.sessionKey),
  );
}
