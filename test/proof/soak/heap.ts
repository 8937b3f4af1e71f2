/** A point in a series of heap sizes. */
export interface HeapSample {
  readonly atMs: number;
  readonly bytes: number;
}

/** What became of the heap between the first and the last sample. */
export interface HeapTrend {
  readonly startBytes: number;
  readonly endBytes: number;
  /** By the line of least squares through all samples, over the time that they span. */
  readonly grownBytes: number;
}

export function trendOf(samples: readonly HeapSample[]): HeapTrend {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) throw new Error('There is no heap sample.');
  const mean = (value: (sample: HeapSample) => number): number =>
    samples.reduce((sum, sample) => sum + value(sample), 0) / samples.length;
  const [meanAt, meanBytes] = [mean(({ atMs }) => atMs), mean(({ bytes }) => bytes)];
  const spread = mean(({ atMs }) => (atMs - meanAt) ** 2);
  const slope = spread === 0 ? 0 : mean(({ atMs, bytes }) => (atMs - meanAt) * (bytes - meanBytes)) / spread;
  return { startBytes: first.bytes, endBytes: last.bytes, grownBytes: slope * (last.atMs - first.atMs) };
}
