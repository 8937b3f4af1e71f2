/** Bytes on the heap, after the collector has had all that it can. */
export function heapUsed(): number {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('Run this with --expose-gc.');
  gc();
  // What the first round freed may have been the last thing that held something else.
  gc();
  return process.memoryUsage().heapUsed;
}

/** The bytes that one of `count` things takes while it is kept. */
export function bytesEach(
  count: number,
  make: (i: number) => unknown,
): { readonly bytes: number; readonly kept: unknown[] } {
  const kept: unknown[] = new Array(count).fill(undefined);
  const before = heapUsed();
  for (let i = 0; i < count; i++) kept[i] = make(i);
  return { bytes: (heapUsed() - before) / count, kept };
}
