const closers: (() => unknown)[] = [];

/**
 * Runs at the end of the test, the last one first. A hook at the top of a module of support would run for the first
 * file of a worker only: the others get the module as it is.
 */
export function atEndOfTest(close: () => unknown): void {
  closers.push(close);
}

export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}
