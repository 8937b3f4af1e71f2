import { times } from '../../support/proofs.js';

/** How many random runs a suite makes, and from which seed; `HOSTILE_RUNS` and `HOSTILE_SEED` say otherwise. */
export function settings(runs: number): { readonly seed: number; readonly runs: number } {
  return {
    seed: Number(process.env.HOSTILE_SEED ?? 1),
    runs: Number(process.env.HOSTILE_RUNS ?? times(Math.ceil(runs / 4), runs)),
  };
}

/** Runs every seed, and fails with those that went wrong: `HOSTILE_SEED=n HOSTILE_RUNS=1` repeats one. */
export async function everySeed(
  what: string,
  runs: number,
  scenario: (seed: number) => Promise<readonly string[]>,
): Promise<void> {
  const { seed, runs: count } = settings(runs);
  process.stdout.write(`${what}: seeds ${seed} to ${seed + count - 1} (${count} runs)\n`);
  const wrong: string[] = [];
  for (let at = seed; at < seed + count; at++) {
    const found = await scenario(at);
    if (found.length > 0) wrong.push(`seed ${at}: ${found.join('; ')}`);
    if (wrong.length >= 12) break;
  }
  if (wrong.length > 0) throw new Error(`${what}: ${wrong.length} seeds went wrong\n${wrong.join('\n')}`);
}
