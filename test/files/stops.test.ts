import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { times } from '../support/proofs.js';
import type { WriteLine } from './storm/stops/orders.js';
import { awakeFor } from './storm/stops/server.js';
import { stopStorm } from './storm/stops/storm.js';
import { type Fault, Witness } from './storm/stops/witness.js';
import { folder } from './support/folders.js';

function faultsOf({ faults }: Witness): Partial<Record<Fault, readonly string[]>> {
  return Object.fromEntries([...faults].filter(([, texts]) => texts.length > 0));
}

/** What a witness says of a file with these lines. */
function read(witness: Witness, lines: readonly Partial<WriteLine>[], stoodStill = false): Witness {
  const journal = join(folder(), 'journal');
  const whole = { session: 's', pid: 1, grantedAt: 0, at: 0 };
  writeFileSync(journal, lines.map((line) => `${JSON.stringify({ ...whole, ...line })}\n`).join(''));
  witness.read(journal, () => stoodStill);
  return witness;
}

const saved = { session: 's', runId: 'old', said: 'done', successors: ['next'] };
const epilogue = { runId: 'old', token: 2, what: 'epilogue' } as const;
const commit = { runId: 'next', token: 3, what: 'commit' } as const;

describe('what the storm of stops checks', () => {
  test('an epilogue before the first commit of the successor is what is wanted', () => {
    const witness = new Witness();
    witness.epilogue(saved);
    expect(faultsOf(read(witness, [epilogue, commit]))).toEqual({});
  });

  test('an epilogue after it, and one that is said to be done and did not write', () => {
    const [late, lost, named] = [new Witness(), new Witness(), new Witness()];
    late.epilogue(saved);
    expect(Object.keys(faultsOf(read(late, [commit, { ...epilogue, token: 4 }])))).toEqual(['epiloguesLate']);
    lost.epilogue(saved);
    expect(Object.keys(faultsOf(read(lost, [commit])))).toEqual(['epiloguesLost']);
    named.epilogue({ ...saved, said: 'skipped' });
    expect(faultsOf(read(named, [commit]))).toEqual({});
  });

  test('a write after one of a higher token, unless its process stood still: then nobody hears it', () => {
    const [late, excused] = [new Witness(), new Witness()];
    expect(Object.keys(faultsOf(read(late, [commit, epilogue])))).toEqual(['tokens']);
    excused.epilogue(saved);
    expect(Object.keys(faultsOf(read(excused, [commit, epilogue], true)))).toEqual(['epiloguesLost']);
  });

  test('a process that stood still has no more time than it was awake', () => {
    expect(awakeFor(1_000, 0, [])).toBe(1_000);
    expect(awakeFor(1_000, 0, [{ from: 900, until: 4_000 }])).toBe(4_100);
    // It was asleep when it began, twice in that time, and after it.
    const sleeps = [
      { from: 4_400, until: 5_000 },
      { from: -200, until: 300 },
      { from: 700, until: 3_000 },
      { from: 3_800, until: 3_900 },
    ];
    expect(awakeFor(1_000, 0, sleeps)).toBe(3_600);
    const told = [
      { from: 500, until: 2_000 },
      { from: 600, until: 2_100 },
      { from: 1_000, until: 1_500 },
    ];
    expect(awakeFor(1_000, 0, told)).toBe(2_600);
    expect(awakeFor(1_000, 0, [{ from: 500, until: Number.POSITIVE_INFINITY }])).toBe(Number.POSITIVE_INFINITY);
    expect(awakeFor(1_000, 0, [{ from: 1_000, until: Number.POSITIVE_INFINITY }])).toBe(1_000);
  });

  test('outcomes that differ in their reason', () => {
    const witness = new Witness();
    const user = { status: 'aborted', reason: 'user' };
    witness.agree('r', { owner: user, wait: { ...user } });
    expect(witness.total).toBe(0);
    witness.agree('r', { owner: user, wait: { ...user, reason: 'superseded' } });
    expect(Object.keys(faultsOf(witness))).toEqual(['outcomes']);
  });
});

test(
  'no stop and no takeover between two processes is lost, nor an epilogue, nor does a receipt say otherwise',
  async () => {
    const phases = ['busy', 'pauses', 'deaths'] as const;
    const rounds = times(15, 100);
    // Whether it arrives, and not how soon: `npm run storm:stops` is about that, on a machine that does nothing else.
    const witness = await stopStorm({ dir: folder(), rounds, seed: 20, lanes: 10, phases, arrivedMs: 10_000 });
    expect(faultsOf(witness)).toEqual({});
    const { counts } = witness;
    const [stops = 0, takeovers = 0, deaths = 0] = [counts.get('stops'), counts.get('takeovers'), counts.get('deaths')];
    expect(stops).toBeGreaterThanOrEqual(rounds * 2);
    expect(takeovers).toBeGreaterThanOrEqual(rounds * 2);
    expect(deaths).toBeGreaterThanOrEqual(rounds);
  },
  times(240_000, 600_000),
);
