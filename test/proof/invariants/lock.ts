import { cuts } from './cut.js';
import { groups, type History, runKey, type Violation } from './history.js';

/** How long what is due at a cut may keep the lock, in ms. */
export interface LockBounds {
  readonly writeGraceMs: number;
  readonly epilogueMs: number;
  /** How long the backend may take until a release has reached it. */
  readonly backendMs: number;
}

/** 4 and 7: a lock has one holder at a time, and is given back once, by the one who has it. */
export function oneHolder(history: History): Violation[] {
  const wrong: Violation[] = [];
  for (const [key, facts] of groups(history.all('lock:granted', 'lock:released', 'freed'), (f) => f.sessionKey)) {
    const held = new Set<number>();
    const given = new Set<number>();
    const freed = new Set<number>();
    for (const { type, token } of facts) {
      if (type === 'freed') freed.add(token);
      else if (type === 'lock:granted') {
        // The answer to a release may be late: the backend knows when it took effect.
        const beside = [...held].filter((other) => !freed.has(other));
        if (beside.length > 0) wrong.push({ invariant: 7, text: `${key}: ${token} granted beside ${beside.join()}` });
        if (freed.has(token)) wrong.push({ invariant: 7, text: `${key}: ${token} granted after it was freed` });
        held.add(token);
      } else if (type === 'lock:released') {
        if (given.has(token)) wrong.push({ invariant: 4, text: `${key}: ${token} was released twice` });
        given.add(token);
        // A lost grant is out of the hands of its holder; what is released must have been held.
        if (!held.delete(token)) wrong.push({ invariant: 4, text: `${key}: ${token} was released, and not held` });
      }
    }
  }
  return wrong;
}

/** 7: at a cut the lock is free at once, or when what is due has ended, and at the latest at the bounds. */
export function freeAtCut(history: History, bounds: LockBounds, end: number): Violation[] {
  const wrong: Violation[] = [];
  const over = cuts(history);
  for (const grant of history.all('lock:granted')) {
    const cutAt = grant.runId === undefined ? undefined : over.get(runKey(grant));
    const grantedAt = history.at(grant);
    // A grant after the cut is the epilogue's: it has its bound from its grant on.
    const from = cutAt === undefined ? undefined : Math.max(cutAt, grantedAt);
    if (from === undefined) continue;
    const freed = history.facts.find(
      (fact, at) =>
        at > grantedAt &&
        // Its answer may be lost.
        (fact.type === 'lock:released' || fact.type === 'freed') &&
        fact.token === grant.token &&
        fact.sessionKey === grant.sessionKey,
    );
    const since = history.facts[from]?.time ?? 0;
    const dueMs = dueAt(history, grant.runId, grant.token, from, since, bounds, end);
    const freeAt = freed?.time ?? end;
    if (freeAt > since + dueMs + bounds.backendMs) {
      const text = `the grant ${grant.token} of ${grant.runId} was held ${freeAt - since} ms after the cut`;
      wrong.push({ invariant: 7, text: `${text}: ${dueMs} ms were due` });
    }
  }
  return wrong;
}

/** What the sections and epilogues in flight under this token may take from here. */
function dueAt(
  history: History,
  runId: string | undefined,
  token: number,
  from: number,
  since: number,
  bounds: LockBounds,
  end: number,
): number {
  let due = 0;
  history.facts.forEach((fact, at) => {
    if (fact.type !== 'begun' || fact.runId !== runId || fact.token !== token) return;
    const over = history.facts.find(
      (other, later) =>
        later > at &&
        other.type === 'over' &&
        other.what === fact.what &&
        other.token === token &&
        other.runId === runId,
    );
    if (over !== undefined && history.at(over) < from) return;
    const bound = fact.what === 'section' ? bounds.writeGraceMs : bounds.epilogueMs;
    due = Math.max(due, Math.min(bound, (over?.time ?? end) - since));
  });
  return due;
}

/** 7: what a store sees does not overlap, unless the older write was revoked after its grace. */
export function noOverlap(history: History, bounds: LockBounds): Violation[] {
  const wrong: Violation[] = [];
  const open = new Map<string, { readonly sessionKey: string; readonly runId: string; readonly time: number }>();
  const first = new Map<string, number>();
  const lost = new Set(history.all('lock:lost').map(({ sessionKey, token }) => `${sessionKey} ${token}`));
  const bound = Math.min(bounds.writeGraceMs, bounds.epilogueMs);
  for (const fact of history.all('begun', 'over')) {
    if (fact.what !== 'section' && fact.what !== 'epilogue') continue;
    const key = `${fact.sessionKey} ${fact.token}`;
    if (fact.type === 'over') open.delete(key);
    else {
      for (const [other, { sessionKey, time }] of open) {
        const isRevoked = lost.has(other) || fact.time - time >= bound;
        if (sessionKey === fact.sessionKey && other !== key && !isRevoked) {
          wrong.push({ invariant: 7, text: `the write under ${key} began beside the one under ${other}` });
        }
      }
      // The bound of an epilogue counts from its grant, whichever of its steps runs.
      const time = fact.what === 'epilogue' ? (first.get(key) ?? fact.time) : fact.time;
      if (!first.has(key)) first.set(key, time);
      open.set(key, { sessionKey: fact.sessionKey, runId: fact.runId, time });
    }
  }
  return wrong;
}
