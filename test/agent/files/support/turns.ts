import type { History, TurnRecord, WriteAt } from 'runfence/agent';

export const { signal } = new AbortController();

export const at = (token: number, issuer = 'backend'): WriteAt => ({ token, issuer, signal });

/** A turn; `size` characters were said in it. */
export function turn(runId: string, order: number, text = runId, size = 0): TurnRecord {
  return {
    runId,
    order,
    generation: 1,
    kind: 'chat',
    format: 'scripted',
    incoming: [{ who: 'user', text: text.padEnd(size, ' ö') }],
    answer: [],
    state: 'whole',
  };
}

export async function idsOf(history: History, key = 's'): Promise<string[]> {
  return (await history.read(key, { signal })).map(({ runId }) => runId);
}

/** So long that a few of them are more than a log may have in vain. */
export const LONG = 30_000;
