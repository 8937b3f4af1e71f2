import type { Grant, Principal, Run, RunControl } from 'runfence';
import { Choices } from '../choices.js';
import type { Node, Nodes } from './nodes.js';
import { Pending } from './pending.js';

export const SESSIONS = ['s', 't'] as const;
export const ADA: Principal = { userId: 'ada' };
export const EVE: Principal = { userId: 'eve' };

/** Who is in a scenario: its nodes, its runs, and what it waits for. */
export class Cast {
  readonly random: Choices;
  readonly world: Nodes;
  readonly pending: Pending = new Pending();
  readonly runs: Map<Run, Node> = new Map();
  /** Ids that have started: used again, they are duplicates. */
  readonly known: string[] = [];
  /** By id: one that is asked for again may be another's. */
  readonly #owners = new Map<string, Set<string | undefined>>();
  readonly upstream: AbortController[] = [];
  readonly grants: Set<Grant> = new Set();
  /** Tokens that the host has, and gives back whenever it wants to. */
  readonly hosted: Set<number> = new Set();
  /** Nodes that were drained, and the runs that their drains named because they were not quiet. */
  readonly closed: Map<Node, ReadonlySet<string>> = new Map();
  readonly wrong: string[] = [];
  /** Work that starts from now on ends at once. */
  isOver = false;
  #ids = 0;

  constructor(seed: number, world: Nodes) {
    this.random = new Choices(seed);
    this.world = world;
  }

  owns(runId: string, owner: Principal | undefined): void {
    this.#owners.set(runId, (this.#owners.get(runId) ?? new Set()).add(owner?.userId));
  }

  /** The user ids of those who have asked for a run of this id; `undefined` is the host. */
  ownersOf(runId: string): readonly (string | undefined)[] {
    return [...(this.#owners.get(runId) ?? [])];
  }

  newId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}-${this.#ids}`;
  }

  note<T>(name: string, promise: PromiseLike<T>): void {
    void this.pending.note(name, promise);
  }

  time(ms: number): Promise<void> {
    return new Promise((resolve) => this.world.clock.setTimeout(resolve, ms));
  }

  /** A run that is current, or was until just now. */
  use(run: Run, node: Node): void {
    const { watch } = this.world;
    this.runs.set(run, node);
    this.owns(run.id, run.owner);
    this.known.push(run.id);
    watch.run(run);
    const send = run.fence(() => watch.effect(run, 'send'));
    watch.attempt(send);
    send();
    if (this.isOver) run.complete();
  }

  /** A start that is refused says so to its caller, and to nobody else. Call it in the tick of the start. */
  refusals(control: RunControl, before: ReadonlySet<string>): () => void {
    const added = control.runs.list().filter(({ runId }) => !before.has(runId));
    for (const { runId, owner } of added) {
      this.owns(runId, owner);
      this.world.watch.asked(control, runId);
    }
    return () => {
      for (const { runId } of added) this.world.watch.refused(runId);
    };
  }

  listed(control: RunControl): Set<string> {
    return new Set(control.runs.list().map(({ runId }) => runId));
  }
}
