import type { Backend, ClaimRequest, Notices } from 'runfence/backend';
import { absolute, type Figure, type Sample } from '../harness/figure.js';
import { type Bench, check } from '../harness/row.js';
import { quantile } from '../harness/statistics.js';

/** Nodes on one server. */
const NODES = [1, 4, 16] as const;

const DEAF: Notices = { changed: () => {}, listed: () => {}, gap: () => {}, lost: () => {}, orphaned: () => {} };

/** What took how long, in ns of the wall clock: most of it is the server's, and the way to it. A median a round. */
export class Rounds {
  readonly #values: Map<string, number[]> = new Map();
  #round: Map<string, number[]> = new Map();

  async time<T>(what: string, act: () => T | PromiseLike<T>): Promise<T> {
    const start = process.hrtime.bigint();
    const answer = await act();
    this.add(what, Number(process.hrtime.bigint() - start));
    return answer;
  }

  add(what: string, ns: number): void {
    const values = this.#round.get(what);
    if (values === undefined) this.#round.set(what, [ns]);
    else values.push(ns);
  }

  /** Everything is done in turn, over and over: a slow moment of the machine hits all of it alike. */
  async make(bench: Bench, turns: number, turn: () => Promise<void>): Promise<void> {
    // Code and connections that are used for the first time are slow.
    for (let made = 0; made < bench.count(turns); made++) await turn();
    this.#round = new Map();
    for (let round = 1; round <= bench.repetitions(); round++) {
      bench.note(`${round} of ${bench.repetitions()}`);
      for (let made = 0; made < bench.count(turns); made++) await turn();
      for (const [what, values] of this.#round) {
        const medians = this.#values.get(what) ?? [];
        medians.push(quantile(values, 0.5));
        this.#values.set(what, medians);
      }
      this.#round = new Map();
    }
  }

  sample(what: string, name: string = 'runfence'): Sample {
    const values = this.#values.get(what);
    check(values !== undefined, `${what} is measured`);
    return { name, values };
  }
}

/** A node of a bench: what it asks, in the order of a run's life. */
export class Cycles {
  readonly backend: Backend;
  readonly nodeId: string;
  readonly sessionKey: string;
  #attempts = 0;
  #seen = 0;

  constructor(backend: Backend, nodeId: string) {
    this.backend = backend;
    this.nodeId = nodeId;
    this.sessionKey = `session of ${nodeId}`;
  }

  get #about(): { readonly sessionKey: string; readonly nodeId: string; readonly seen: number } {
    return { sessionKey: this.sessionKey, nodeId: this.nodeId, seen: this.#seen };
  }

  async claim(): Promise<{ readonly runId: string; readonly generation: number }> {
    const runId = `run ${this.#attempts} of ${this.nodeId}`;
    const answer = await this.backend.claim({ ...CLAIM, ...this.#about, attempt: this.#attempt(), runId });
    check(answer.kind === 'granted', 'a claim that is granted');
    this.#seen = answer.version;
    return { runId, generation: answer.generation };
  }

  async lock(run: { readonly runId: string; readonly generation: number }): Promise<number> {
    const answer = await this.backend.lock({
      ...this.#about,
      run,
      attempt: this.#attempt(),
      reserved: undefined,
      since: 0,
    });
    check(answer.kind === 'granted', 'a lock that is granted');
    this.#seen = answer.version;
    return answer.token;
  }

  async unlock(token: number): Promise<void> {
    this.#seen = (await this.backend.unlock({ ...this.#about, token })).version;
  }

  /** @param by - the node that asks */
  async stop({ runId, generation }: { runId: string; generation: number }, by: Cycles = this): Promise<void> {
    const runs = [{ runId, generation, revoke: undefined, hasEpilogue: false }];
    const attempt = by.#attempt();
    const more = {
      attempt,
      reason: 'user',
      runs,
      select: undefined,
      record: undefined,
      number: undefined,
      named: [],
    } as const;
    const answer = await by.backend.stop({ ...this.#about, nodeId: by.nodeId, ...more });
    check(answer.runs[0]?.found === 'stopped', 'a run that is stopped');
    if (by === this) this.#seen = answer.version;
  }

  async end(
    run: { readonly runId: string; readonly generation: number },
    status: 'completed' | 'aborted',
  ): Promise<void> {
    const more = {
      status,
      reason: status === 'aborted' ? 'user' : undefined,
      report: undefined,
      retain: false,
    } as const;
    this.#seen = (await this.backend.end({ ...this.#about, ...run, ...more })).version;
  }

  #attempt(): number {
    this.#attempts += 1;
    return this.#attempts;
  }
}

const CLAIM: Omit<ClaimRequest, 'sessionKey' | 'runId' | 'attempt' | 'nodeId' | 'seen'> = {
  ...{ isOwnId: true, kind: 'chat', owner: undefined, tags: [], fingerprint: undefined, graceMs: 5_000 },
  ...{ hasEpilogue: false, mode: 'exclusive', whenQuiet: false, replaces: [], beside: [], repeats: undefined },
  ...{ since: undefined, listSince: undefined, judged: 0 },
};

/** Everything that a run asks of the store, each beside the floor. */
export async function lifeOf(rounds: Rounds, node: Cycles): Promise<void> {
  const run = await rounds.time('claim', () => node.claim());
  const token = await rounds.time('lock', () => node.lock(run));
  await rounds.time('unlock', () => node.unlock(token));
  await rounds.time('end', () => node.end(run, 'completed'));
  const stopped = await node.claim();
  await rounds.time('stop', () => node.stop(stopped));
  await node.end(stopped, 'aborted');
}

/** From the call of another node's stop until the owner hears of it. */
export async function heard(rounds: Rounds, owner: Cycles, other: Cycles, hears: Hearing): Promise<void> {
  const run = await owner.claim();
  const told = hears.next(owner.sessionKey);
  await rounds.time('a stop that another node hears', async () => {
    await Promise.all([told, owner.stop(run, other)]);
  });
  await owner.end(run, 'aborted');
}

/** What a node is told. */
export class Hearing implements Notices {
  #waiting: { readonly sessionKey: string; readonly resolve: () => void } | undefined;
  readonly listed: Notices['listed'] = DEAF.listed;
  readonly gap: Notices['gap'] = DEAF.gap;
  readonly lost: Notices['lost'] = DEAF.lost;
  readonly orphaned: Notices['orphaned'] = DEAF.orphaned;

  next(sessionKey: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = { sessionKey, resolve };
    });
  }

  changed(sessionKey: string): void {
    if (sessionKey !== this.#waiting?.sessionKey) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }
}

/**
 * Lives of runs on so many nodes at once, on one server: the time that passes for each of them.
 *
 * @param full - how many lives a round
 */
export async function growth(bench: Bench, full: number, connect: () => Backend): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const count of NODES) {
    bench.note(`${count} nodes`);
    const nodes = Array.from({ length: count }, (_, at) => new Cycles(connect(), `node ${at} of ${count}`));
    const removers = nodes.map(({ backend, nodeId }) => backend.subscribe(nodeId, DEAF));
    const lives = bench.count(full);
    const live = async (node: Cycles, times: number): Promise<void> => {
      for (let made = 0; made < times; made++) {
        const run = await node.claim();
        await node.unlock(await node.lock(run));
        await node.end(run, 'completed');
      }
    };
    await Promise.all(nodes.map((node) => live(node, Math.ceil(lives / 10))));
    const times: number[] = [];
    for (let round = 0; round < Math.min(5, bench.repetitions()); round++) {
      const start = process.hrtime.bigint();
      await Promise.all(nodes.map((node) => live(node, Math.ceil(lives / count))));
      times.push(Number(process.hrtime.bigint() - start) / (Math.ceil(lives / count) * count) / 1e3);
    }
    figures.push(absolute(`${count} ${count === 1 ? 'node' : 'nodes at once'}, a run’s four requests`, 'us', times));
    for (const remove of removers) remove();
    for (const { backend } of nodes) await backend.close();
  }
  return figures;
}
