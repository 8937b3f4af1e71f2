import { quantile, ratioOf, type Summary, summarise } from './statistics.js';

export type Unit = 'x' | 'ns' | 'us' | 'ms' | 'B' | '';

/** The least that counts, and the aim. Lower is better everywhere. */
export interface Target {
  readonly budget?: number;
  readonly stretch?: number;
  /** A budget with alternatives: it is met if one figure of the row with the same name meets its own. */
  readonly either?: string;
}

/** One line of the table. */
export interface Figure extends Target {
  readonly what: string;
  readonly unit: Unit;
  readonly value: number;
  /** p10 and p90 of the repetitions. */
  readonly spread?: readonly [number, number];
  /** Medians in ns, for a ratio. */
  readonly ours?: number;
  readonly peer?: { readonly name: string; readonly ns: number };
}

/** Repetitions of one side, each in ns an operation. */
export interface Sample {
  readonly name: string;
  readonly values: readonly number[];
}

export function ratio(what: string, ours: Sample, peer: Sample, target: Target = {}): Figure {
  const { median, p10, p90 } = ratioOf(ours.values, peer.values);
  return {
    what,
    unit: 'x',
    value: median,
    spread: [p10, p90],
    ours: summarise(ours.values).median,
    peer: { name: peer.name, ns: summarise(peer.values).median },
    ...target,
  };
}

export function absolute(what: string, unit: Unit, values: readonly number[], target: Target = {}): Figure {
  const [value] = values;
  if (values.length === 1 && value !== undefined) return { what, unit, value, ...target };
  return figureOf(what, unit, summarise(values), target);
}

/** For what differs from one time to the next: the middle, and what one in a hundred is over. */
export function percentiles(what: string, unit: Unit, values: readonly number[]): Figure[] {
  return [
    figureOf(`${what}, p50`, unit, summarise(values)),
    { what: `${what}, p99`, unit, value: quantile(values, 0.99) },
  ];
}

export function figureOf(what: string, unit: Unit, { median, p10, p90 }: Summary, target: Target = {}): Figure {
  return { what, unit, value: median, spread: [p10, p90], ...target };
}

/** Budgets differ by Node version, since signals do. Node 20 has its own; what is newer counts as 24. */
export function onNode(targets: { readonly 20?: Target; readonly 24?: Target }): Target {
  return targets[Number(process.versions.node.split('.')[0]) < 22 ? 20 : 24] ?? {};
}
