import { groups, type History, type Violation } from './history.js';

/** 3: what the backend draws strictly increases within a session, and so do the tokens that reach a store. */
export function noReuse(history: History): Violation[] {
  const wrong: Violation[] = [];
  for (const [key, drawn] of groups(history.all('drawn'), (fact) => fact.sessionKey)) {
    wrong.push(
      ...increasing(
        drawn.map(({ number }) => number),
        `numbers of ${key}`,
      ),
    );
  }
  for (const [key, granted] of groups(history.all('lock:granted'), (fact) => fact.sessionKey)) {
    wrong.push(
      ...increasing(
        granted.map(({ token }) => token),
        `grants of ${key}`,
      ),
    );
  }
  const writes = history.all('begun').filter(({ what }) => what === 'section');
  for (const [key, begun] of groups(writes, (fact) => fact.sessionKey)) {
    wrong.push(
      ...increasing(
        begun.map(({ token }) => token ?? 0),
        `tokens of writes in ${key}`,
      ),
    );
  }
  for (const [key, started] of groups(history.all('run:started'), ({ run }) => run.sessionKey)) {
    for (const [generation, runs] of groups(started, ({ run }) => run.generation)) {
      const ids = runs.map(({ run }) => run.runId).join(', ');
      if (runs.length > 1) wrong.push({ invariant: 3, text: `generation ${generation} of ${key} went to ${ids}` });
    }
  }
  return wrong;
}

function increasing(numbers: readonly number[], what: string): Violation[] {
  return numbers.flatMap((number, at): Violation[] => {
    const before = numbers[at - 1] ?? 0;
    const isFine = Number.isSafeInteger(number) && number > before;
    return isFine ? [] : [{ invariant: 3, text: `${what}: ${number} after ${before}` }];
  });
}
