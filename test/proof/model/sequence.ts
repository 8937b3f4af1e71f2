import type fc from 'fast-check';
import { flush } from 'runfence/testing';
import { compare } from './compare.js';
import { Effects } from './reference/effects.js';
import type { Leftover, Run } from './reference/run.js';
import type { Receipt, Reference } from './reference.js';
import type { Totals } from './summary.js';
import type { World } from './world.js';

/** What both sides remember of one sequence, besides themselves. */
export class Sequence {
  readonly model: Reference;
  readonly world: World;
  readonly effects: Effects;
  readonly receipts: Map<string, Receipt> = new Map();
  /** Grants that are held open: by their label, whose lock, and by which run. */
  readonly grants: Map<string, { readonly session: string; readonly run: Run | undefined }> = new Map();
  readonly totals: Totals;

  constructor(model: Reference, world: World, totals: Totals) {
    this.totals = totals;
    this.model = model;
    this.world = world;
    this.effects = new Effects(model);
  }

  /** Runs whose `Run` object is in a caller's hands: mostly those that are not quiet. */
  run(pick: number): Run | undefined {
    const inHand = this.model.runs.filter((run) => run.isInHand);
    const unquiet = inHand.filter(({ isQuiet }) => !isQuiet);
    return pick % 8 === 0 || unquiet.length === 0 ? at(inHand, pick >> 3) : at(unquiet, pick >> 3);
  }

  /** Something of some run that has not ended. */
  leftover(type: Leftover['type'], pick: number): { readonly run: Run; readonly label: string } | undefined {
    const all = this.model.runs.flatMap((run) =>
      run.left.filter((left) => left.type === type).map(({ label }) => ({ run, label })),
    );
    return at(all, pick);
  }

  working(pick: number): Run | undefined {
    return at(
      this.model.runs.filter((run) => run.isInHand && !run.isHandle && run.isWorking),
      pick,
    );
  }

  /** Lets promises settle, and compares. */
  async check(): Promise<void> {
    this.model.time.settle();
    await flush();
    compare(this.model, this.world);
  }
}

/** One kind of command. `act` does it in both; false: it cannot be done now. */
export interface Action<P> {
  readonly name: string;
  readonly weight: number;
  readonly params: fc.Arbitrary<P>;
  readonly act: (sequence: Sequence, params: P) => boolean | Promise<boolean>;
}

export class Command implements fc.AsyncCommand<Sequence, object> {
  readonly name: string;
  readonly #params: unknown;
  readonly #act: (sequence: Sequence) => boolean | Promise<boolean>;

  constructor(action: Action<never>, params: unknown) {
    this.name = action.name;
    this.#params = params;
    this.#act = (sequence) => action.act(sequence, params as never);
  }

  check({ model }: Readonly<Sequence>): boolean {
    return model.phase !== 'closed';
  }

  async run(sequence: Sequence): Promise<void> {
    if (!(await this.#act(sequence))) return;
    sequence.totals.did(this.name);
    await sequence.check();
  }

  toString(): string {
    const never = (_name: string, value: unknown): unknown => (value === Number.POSITIVE_INFINITY ? 'never' : value);
    return `${this.name} ${JSON.stringify(this.#params, never)}`;
  }
}

export function at<T>(all: readonly T[], pick: number): T | undefined {
  return all[pick % all.length];
}
