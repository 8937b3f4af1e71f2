import { describe, expect, it } from 'vitest';
import { times } from '../../support/proofs.js';
import { NAMES } from './commands.js';
import { DEFECTS, HARMLESS } from './defects.js';
import { check } from './property.js';
import { failureOf, summaryOf, Totals } from './summary.js';

const SEQUENCES = times(200, 2_000);
const LEDGERS = ['private', 'memory'] as const;
/** The mean is above it: sequences are of random length, and few of them may be short. */
const COMMANDS = times(80, 100);

const ANSWERS: readonly string[] = [
  ...['started', 'queued', 'aborted', 'duplicate', '! RUN_ID_CONFLICT', '! RUN_QUEUED'],
  ...['busy', 'forbidden', 'draining'].map((cause) => `rejected ${cause}`),
  ...['aborted', 'nothing-running', 'already-stopping', 'already-ended', 'stale-target', 'forbidden'].map(
    (result) => `abort:${result}`,
  ),
];

describe('the model', () => {
  it.each(LEDGERS)(`agrees with the library on the %s ledger over ${SEQUENCES} sequences`, async (ledger) => {
    const { MODEL_SEED, MODEL_PATH, MODEL_REPLAY } = process.env;
    const seed = Number(MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const totals = new Totals();
    const details = await check({ runs: SEQUENCES, seed, path: MODEL_PATH, replayPath: MODEL_REPLAY, ledger }, totals);
    // Past the reporter, which is silent for tests that pass.
    process.stdout.write(`${summaryOf(seed, totals)}\n`);
    expect(failureOf(details)).toBeUndefined();
    if (MODEL_PATH !== undefined) return;
    expect(totals.sequences).toBe(SEQUENCES);
    expect(totals.commands).toBeGreaterThanOrEqual(SEQUENCES * COMMANDS);
    expect(NAMES.filter((name) => !totals.done.has(name))).toEqual([]);
    expect(ANSWERS.filter((answer) => !totals.answered.has(answer))).toEqual([]);
  });

  it.each(LEDGERS)('agrees with a library that is only wrapped, on the %s ledger', async (ledger) => {
    const details = await check({ runs: 50, seed: 1, ledger, defect: HARMLESS }, new Totals());
    expect(failureOf(details)).toBeUndefined();
  });

  it.each(Object.entries(DEFECTS))('finds a library in which %s', async (_what, defect) => {
    const details = await check({ runs: 300, seed: 1, ledger: 'memory', defect }, new Totals());
    expect(details.failed).toBe(true);
    expect(failureOf(details)).toContain('the library says');
  });
});
