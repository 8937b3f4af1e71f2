/** What many repetitions of one batch came to. */
export interface Summary {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
}

/** Linear between the two nearest ranks. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new Error('A quantile of nothing.');
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (sorted.length - 1) * q;
  const below = sorted[Math.floor(rank)] as number;
  const above = sorted[Math.ceil(rank)] as number;
  return below + (above - below) * (rank - Math.floor(rank));
}

export function summarise(values: readonly number[]): Summary {
  return { median: quantile(values, 0.5), p10: quantile(values, 0.1), p90: quantile(values, 0.9) };
}

/** The medians are compared; the spread is that of the repetitions, each against its own neighbour in time. */
export function ratioOf(ours: readonly number[], peer: readonly number[]): Summary {
  const { p10, p90 } = summarise(ours.map((value, i) => value / (peer[i] as number)));
  return { median: quantile(ours, 0.5) / quantile(peer, 0.5), p10, p90 };
}
