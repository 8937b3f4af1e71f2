import type { Clock } from '../index.js';

/** The longest delay that a platform timer takes; one above it fires at once. */
const LONGEST_DELAY_MS = 2_147_483_647;

/** Calls back once `ms` have passed on the clock. Returns what takes it back. */
export function after(
  clock: Clock,
  ms: number,
  callback: () => void,
  hostProcess: 'keep alive' | 'let exit',
): () => void {
  if (ms === Number.POSITIVE_INFINITY) return () => {};
  const at = clock.monotonic() + ms;
  let handle: unknown;
  const arm = (): void => {
    const left = Math.max(0, at - clock.monotonic());
    handle = clock.setTimeout(left > LONGEST_DELAY_MS ? arm : callback, Math.min(left, LONGEST_DELAY_MS));
    if (hostProcess === 'let exit') (handle as { unref?: () => unknown } | undefined)?.unref?.();
  };
  arm();
  return () => clock.clearTimeout(handle);
}
