import type { Principal } from 'runfence';
import type { Violation } from './history.js';

export function same(invariant: 4, what: string, one: string, other: string, wrong: Violation[]): void {
  if (one !== other) wrong.push({ invariant, text: `${what}: [${one}] and [${other}]` });
}

export function isSame(one: Principal, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

export function ids(runs: readonly { readonly runId: string }[]): string {
  return runs
    .map(({ runId }) => runId)
    .sort()
    .join();
}

export function said(answer: PromiseSettledResult<unknown>): string {
  if (answer.status === 'fulfilled') return JSON.stringify(answer.value) ?? 'undefined';
  return String((answer.reason as { code?: unknown })?.code ?? answer.reason);
}
