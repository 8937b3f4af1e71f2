import type fc from 'fast-check';
import { ABORTS } from './commands/aborts.js';
import { BEGINS } from './commands/begins.js';
import { EFFECTS } from './commands/effects.js';
import { ENDS } from './commands/ends.js';
import { OTHERS } from './commands/others.js';
import { type Action, Command } from './sequence.js';

const ACTIONS: readonly Action<never>[] = [...BEGINS, ...ABORTS, ...ENDS, ...EFFECTS, ...OTHERS];

export const NAMES: readonly string[] = ACTIONS.map(({ name }) => name);

/** All commands, the frequent ones more often. */
export function commands(): fc.Arbitrary<Command>[] {
  return ACTIONS.flatMap((one) => {
    const made = one.params.map((params) => new Command(one, params));
    return Array.from({ length: one.weight }, () => made);
  });
}
