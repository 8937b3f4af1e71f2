import type { RunView } from 'runfence';
import { generationKey, type History, runKey, type Violation } from './history.js';

/** 4: a stop that was acknowledged hits no run that was asked for after that. */
export function stopsSpare(history: History): Violation[] {
  const askedAt = new Map<string, number>();
  const answered = new Set<string>();
  const answeredAt = new Map<string, number>();
  const acknowledgedAt = new Map<string, number>();
  const wrong: Violation[] = [];
  const judge = (key: string, stop: number | undefined, what: string): void => {
    const asked = askedAt.get(key);
    if (asked === undefined || stop === undefined || asked < stop) return;
    wrong.push({ invariant: 4, text: `${what}, which was asked for after it was acknowledged` });
  };
  history.facts.forEach((fact, at) => {
    switch (fact.type) {
      case 'asked':
        askedAt.set(runKey(fact), at);
        break;
      case 'answered': {
        const by = `${fact.nodeId} ${fact.attempt}`;
        if (!answered.has(by)) answeredAt.set(by, at);
        answered.add(by);
        break;
      }
      case 'marked':
        judge(runKey(fact), answeredAt.get(fact.by), `a stop has marked ${fact.runId}`);
        break;
      case 'acknowledged':
        // One that was not recorded may come late, as the receipt says.
        if (!fact.intent && fact.recorded !== 'unreachable' && typeof fact.requester === 'object') {
          acknowledgedAt.set(JSON.stringify(fact.requester), at);
        }
        break;
      case 'run:aborted': {
        const { run, requester } = fact;
        if (typeof requester === 'object') {
          judge(runKey(run), acknowledgedAt.get(JSON.stringify(requester)), `a stop has cut ${run.runId}`);
        }
      }
    }
  });
  return wrong;
}

/** 4: once every node has heard of it, a stop for all of them leaves nothing running of what it was aimed at. */
export function stopsReach(history: History, running: readonly RunView[]): Violation[] {
  const keys = new Set(running.map(generationKey));
  return history
    .all('listed')
    .flatMap(({ number, aimedAt }) =>
      aimedAt
        .filter((key) => keys.has(key))
        .map((key): Violation => ({ invariant: 4, text: `the stop ${number} of all nodes has missed ${key}` })),
    );
}
