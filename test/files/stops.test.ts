import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { WriteLine } from './storm/stops/orders.js';
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

  test('outcomes that differ in their reason', () => {
    const witness = new Witness();
    const user = { status: 'aborted', reason: 'user' };
    witness.agree('r', { owner: user, wait: { ...user } });
    expect(witness.total).toBe(0);
    witness.agree('r', { owner: user, wait: { ...user, reason: 'superseded' } });
    expect(Object.keys(faultsOf(witness))).toEqual(['outcomes']);
  });
});

test('no stop and no takeover between two processes is lost, nor an epilogue, nor does a receipt say otherwise', async () => {
  const phases = ['busy', 'pauses', 'deaths'] as const;
  const witness = await stopStorm({ dir: folder(), rounds: 60, seed: 20, lanes: 10, phases });
  expect(faultsOf(witness)).toEqual({});
  const { counts } = witness;
  const [stops = 0, takeovers = 0, deaths = 0] = [counts.get('stops'), counts.get('takeovers'), counts.get('deaths')];
  expect(stops).toBeGreaterThanOrEqual(30);
  expect(takeovers).toBeGreaterThanOrEqual(30);
  expect(deaths).toBeGreaterThanOrEqual(12);
});
