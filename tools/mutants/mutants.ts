import { adapters } from './adapters.js';
import { agents } from './agents.js';
import { comparison } from './comparison.js';
import { core } from './core.js';
import { gateway } from './gateway.js';
import type { Mutant } from './mutant.js';
import { records } from './records.js';

/** The fence of functions is open: what the demo must notice, too. */
export const UNFENCED: Mutant = {
  name: 'a fenced function is called whether its run is current or not',
  shownBy: 'test/core/fence/function.test.ts',
  file: 'src/core/fence/function.ts',
  edits: [['if (run.current) return Reflect', 'if (run.current || !run.current) return Reflect']],
};

export const mutants: readonly Mutant[] = [
  UNFENCED,
  ...core,
  ...records,
  ...comparison,
  ...adapters,
  ...agents,
  ...gateway,
];
