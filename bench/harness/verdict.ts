import type { Figure } from './figure.js';

/** `missed`: over its budget in every run of the row. */
export type Verdict = 'stretch' | 'met' | 'missed' | 'shown';

/** How often a row that misses a budget is run before it counts as missed. */
export const RUNS = 3;

/** Whether every budget of the row is met, alternatives considered. */
export function meetsAll(figures: readonly Figure[]): boolean {
  return figures.every((figure) => meets(figure, figures));
}

function meets(figure: Figure, row: readonly Figure[]): boolean {
  if (figure.budget === undefined || figure.value <= figure.budget) return true;
  const { either } = figure;
  if (either === undefined) return false;
  return row.some((other) => other.either === either && other.budget !== undefined && other.value <= other.budget);
}

export interface Judged extends Figure {
  readonly verdict: Verdict;
  /** In how many of the runs it was over its budget. */
  readonly missedRuns: number;
  readonly runs: number;
}

/** Judges a row by all its runs: each figure is shown as the run that has its median value had it. */
export function judge(runs: readonly (readonly Figure[])[]): Judged[] {
  const [first] = runs;
  if (first === undefined) throw new Error('A row that was never run.');
  return first.map((_, at) => {
    const values = runs.map((figures) => figures[at] as Figure).sort((a, b) => a.value - b.value);
    const shown = values[(values.length - 1) >> 1] as Figure;
    const missedRuns = runs.filter((figures) => !meets(figures[at] as Figure, figures)).length;
    return { ...shown, verdict: verdictOf(shown, missedRuns, runs.length), missedRuns, runs: runs.length };
  });
}

function verdictOf({ budget, stretch, value }: Figure, missedRuns: number, runs: number): Verdict {
  if (budget === undefined) return 'shown';
  if (missedRuns === runs) return 'missed';
  return stretch !== undefined && value <= stretch ? 'stretch' : 'met';
}
