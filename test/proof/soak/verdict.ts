import type { HeapTrend } from './heap.js';

/** What a soak has counted. */
export interface Figures {
  readonly operations: number;
  readonly starts: number;
  readonly stops: number;
  /** Fenced effects, gated functions, sections and work that began after the end of their run was announced. */
  readonly lateEffects: number;
  readonly missedCuts: number;
  readonly endedTwice: number;
  readonly writes: number;
  readonly staleAccepted: number;
  readonly overlaps: number;
  readonly tokensReused: number;
  readonly unquiet: number;
  /** Entries, lanes, locks, stops and timers of all nodes after the drain. */
  readonly held: number;
  readonly unsettled: number;
  readonly unexpected: readonly string[];
  readonly heap: HeapTrend;
}

/**
 * The heap is flat if the line through its sizes rises by no more than this over the measured time. The code that V8
 * compiles grows by one or two MiB; runs that are kept add more than this within half a minute.
 */
export const HEAP_MARGIN_BYTES = 4 * 2 ** 20;

/** What is wrong; nothing if the soak holds. A soak that did nothing does not hold. */
export function verdictOf(figures: Figures): string[] {
  const { heap, unexpected } = figures;
  const problems: string[] = [];
  const none = (count: number, what: string): void => {
    if (count !== 0) problems.push(`${count} ${what}`);
  };
  const some = (count: number, what: string): void => {
    if (!(count > 0)) problems.push(`no ${what}: nothing was tested`);
  };
  some(figures.operations, 'operations');
  some(figures.starts, 'starts');
  some(figures.stops, 'stops');
  some(figures.writes, 'accepted writes');
  none(figures.lateEffects, 'late effects');
  none(figures.missedCuts, 'runs that should have been cut went on');
  none(figures.endedTwice, 'runs ended twice');
  none(figures.staleAccepted, 'stale writes were accepted');
  none(figures.overlaps, 'sections of one session overlapped');
  none(figures.tokensReused, 'tokens did not rise');
  none(figures.unquiet, 'runs are not quiet');
  none(figures.held, 'entries, lanes, locks, stops and timers are left');
  none(figures.unsettled, 'promises have not settled');
  for (const error of unexpected) problems.push(`unexpected: ${error}`);
  if (!(heap.grownBytes <= HEAP_MARGIN_BYTES)) {
    problems.push(`the heap has grown by ${Math.round(heap.grownBytes / 1_024)} KiB`);
  }
  return problems;
}
