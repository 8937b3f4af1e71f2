import { strict as assert } from 'node:assert';
import type { Answered, RunRef, Snapshot, StopItem, StoredReport } from '../../backend/index.js';

/** A stop of one run, as the port wants it. */
export function item(run: Pick<RunRef, 'runId' | 'generation'>, more: Partial<StopItem> = {}): StopItem {
  return { runId: run.runId, generation: run.generation, revoke: undefined, hasEpilogue: false, ...more };
}

/** Those answers that may be of this kind. */
export type OfKind<Answer, Kind> = Answer extends { readonly kind: infer Kinds }
  ? Kind extends Kinds
    ? Answer
    : never
  : never;

/** The answer, which has to be of this kind. */
export function answered<Answer extends { readonly kind: string }, Kind extends Answer['kind']>(
  answer: Answer,
  kind: Kind,
): OfKind<Answer, Kind> {
  assert.equal(answer.kind, kind);
  return answer as OfKind<Answer, Kind>;
}

/** The record that an answer carries, which has to be there. */
export function recordOf({ snapshot }: Answered): Snapshot {
  if (snapshot === undefined) assert.fail('the answer does not carry the record');
  return snapshot;
}

export function idsOf(runs: readonly { readonly runId: string }[]): string[] {
  return runs.map(({ runId }) => runId).sort();
}

/** What a run's own node says of it. */
export const REPORT: StoredReport = {
  lock: 'released',
  epilogue: 'done',
  leftovers: ['browser', 'search'],
  unknown: ['browser', 'pay'],
  fencedEffects: 3,
  elapsedMs: 12,
  interrupted: false,
};

/** What holds of every record, whoever asks for it. */
export function assertSound(record: Snapshot, sessionKey: string): void {
  const { version, runs, holder, reserved, stops } = record;
  assert.equal(record.sessionKey, sessionKey);
  assertRising(
    runs.map(({ generation }) => generation),
    'runs are in the order of their generations',
  );
  assertRising(
    reserved.map(({ token }) => token),
    'reservations are in the order of the cuts',
  );
  assertRising(
    stops.map(({ number }) => number),
    'stops are in their order',
  );
  for (const run of runs) {
    assert.ok(run.status === 'running' || run.status === 'stopping', `a record has live runs only, not ${run.status}`);
    assert.equal(run.reason !== undefined, run.status === 'stopping', 'a run has a reason once it is stopped');
    assert.ok(run.generation <= version, 'no run is newer than its record');
  }
  for (const { token } of holder === undefined ? reserved : [holder, ...reserved]) {
    assert.ok(token <= version, 'no token is newer than its record');
  }
}

/** Positive safe integers, each above the one before. */
export function assertRising(numbers: readonly number[], what = 'numbers rise'): void {
  for (const [at, number] of numbers.entries()) {
    assert.ok(Number.isSafeInteger(number) && number >= 1, `${what}: ${number} is a positive safe integer`);
    const before = numbers[at - 1] ?? 0;
    assert.ok(number > before, `${what}: ${number} is above ${before}`);
  }
}
