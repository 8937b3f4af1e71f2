import { compare } from './harness/compare.js';
import type { Figure } from './harness/figure.js';
import type { Bench } from './harness/row.js';
import { rows } from './rows/index.js';

/** What a row's process tells the one that prints. */
export type Message = { readonly progress: string } | Measured;

/** One run of one row. */
export interface Measured {
  readonly title: string;
  /** The version of Node that it ran on. */
  readonly node: string;
  readonly figures: readonly Figure[];
}

const [id = '', effort] = process.argv.slice(2);
const isQuick = effort === 'quick';

const bench: Bench = {
  isQuick,
  compare: async (sides, repetitions) => {
    const rounds = bench.repetitions(repetitions);
    const samples = await compare(sides, {
      repetitions: rounds,
      batchMs: isQuick ? 1 : 50,
      onRound: (round) => tell({ progress: `${round} of ${rounds}` }),
    });
    return samples as never;
  },
  count: (full) => (isQuick ? Math.max(1, Math.ceil(full / 1_000)) : full),
  repetitions: (full = 15) => (isQuick ? 2 : full),
  note: (progress) => tell({ progress }),
};

function tell(message: Message): void {
  process.send?.(message);
}

const load = rows[id];
if (load === undefined) throw new Error(`There is no row ${id}.`);
const { row } = await load();
tell({ title: row.title, node: process.versions.node, figures: await row.measure(bench) });
process.disconnect?.();
