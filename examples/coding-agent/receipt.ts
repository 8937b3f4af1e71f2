import type { QuietReport, SavedState } from 'runfence';

/** What a stop reports, in words. */
export function receiptLines(report: QuietReport, saved: Readonly<Record<string, SavedState>>): string[] {
  return report.runs.flatMap(({ runId, leftovers, unknown, state }) => {
    const { state: isSaved, how } = saved[runId] ?? { state: 'none' };
    const answer = isSaved === 'saved' ? `the answer is saved, ${how}` : `the answer: ${isSaved}`;
    return [
      `[receipt] ${state === 'quiet' ? 'nothing of it is left' : 'it is not quiet'}; ${answer}`,
      ...unknown.map((name) => `[receipt] ${name} had started: it may have taken effect, and the model is told so`),
      ...leftovers.map((name) => `[receipt] ${name} still goes on, unheard: what it gives reaches nobody`),
    ];
  });
}
