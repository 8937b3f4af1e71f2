import type { Script, Scripted } from '../../agent/support/scripted.js';

/** Opened by the test. */
export interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

/** Says a word, waits until it is let go or stopped, and says another. */
export function halfway({ passed }: Gate, first = 'half ', rest = 'whole'): Script {
  return async (turn) => {
    turn.ask();
    turn.say(first);
    await Promise.race([passed, stopped(turn)]);
    turn.say(rest);
    while (!turn.ends()) turn.ask();
  };
}

/** Settles at the stop, also if it was before. */
export function stopped({ run: { signal } }: Pick<Scripted, 'run'>): Promise<unknown> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}
