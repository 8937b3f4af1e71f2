import { isRunfenceError, type Principal, type Run, type RunOptions, type StoredRun } from 'runfence';
import { flush, type RandomFaults } from 'runfence/testing';
import { Random } from '../../../src/testing/random.js';
import { faultyNodes, type Node, type Nodes, Pending } from './nodes.js';

const STEPS = 40;
const SESSIONS = ['s', 't'];
const ADA: Principal = { userId: 'ada' };
const EVE: Principal = { userId: 'eve' };
const WHEN_BUSY = ['interrupt', 'enqueue', 'reject', 'concurrent'] as const;
/** Past every grace, bound and retention. */
const ALL_MS = 400_000;

/** Random begins, stops and writes on nodes whose backend is hostile; then all is healed and ended, and checked. */
export class Scenario {
  readonly #random: Random;
  readonly #world: Nodes;
  readonly #pending = new Pending();
  readonly #runs = new Map<Run, Node>();
  /** Ids that have started: used again, they are duplicates. */
  readonly #known: string[] = [];
  readonly #owners = new Map<string, Principal | undefined>();
  readonly #upstream = new Set<AbortController>();
  readonly #wrong: string[] = [];
  readonly #isLossy: boolean;
  #isOver = false;
  #ids = 0;

  constructor(seed: number, nodes: number, faults: Omit<RandomFaults, 'seed' | 'clock'>) {
    this.#random = new Random(seed);
    this.#isLossy = (faults.refused ?? 0) > 0;
    this.#world = faultyNodes(nodes, seed, faults);
  }

  /** What went wrong; empty when all is well. */
  async play(): Promise<readonly string[]> {
    for (let step = 0; step < STEPS; step++) {
      this.#step();
      await this.#pause();
    }
    await this.#end();
    return this.#wrong;
  }

  #step(): void {
    const node = this.#pick(this.#world.nodes) as Node;
    const run = this.#pick([...this.#runs.keys()]);
    const roll = this.#random.below(100);
    if (run === undefined || roll < 35) this.#begin(node);
    else if (roll < 50) this.#abort(node, run);
    else if (roll < 60) this.#finish(run);
    else if (roll < 72) this.#commit(run);
    else if (roll < 80) this.#announceEpilogue(run);
    else if (roll < 86) this.#child(run);
    else if (roll < 91) this.#acquire(node, run);
    else if (roll < 95) void this.#pending.note('wait', node.control.wait(run.id));
    // A node that is drained while its backend fails takes what it still owes with it.
    else if (roll < 99 || this.#isLossy) this.#act(run);
    else void this.#pending.note('drain', node.control.drain({ graceMs: this.#random.below(3_000) }));
  }

  async #pause(): Promise<void> {
    const roll = this.#random.below(10);
    if (roll < 3) return;
    if (roll < 5) await flush();
    else await this.#world.clock.advance(this.#random.below(roll < 9 ? 60 : 6_000));
  }

  #begin(node: Node): void {
    const { control } = node;
    const before = new Set(control.runs.list().map(({ runId }) => runId));
    const options = this.#options();
    const form = this.#pick(['begin', 'begin', 'run', 'start', 'stream', 'twin'] as const);
    const answer = this.#startAs(form ?? 'begin', node, options);
    const added = control.runs.list().filter(({ runId }) => !before.has(runId));
    for (const { runId, owner } of added) this.#owners.set(runId, owner);
    // A start that is refused says so to its caller, and to nobody else.
    const refused = (): void => {
      for (const { runId } of added) this.#world.watch.refused(runId);
    };
    answer.then((result) => {
      if (result?.status === 'rejected' || result?.status === 'aborted' || result?.status === 'duplicate') refused();
    }, refused);
    void this.#pending.note(`${form} ${options.whenBusy} ${options.startWhen} ${options.runId ?? ''}`, answer);
  }

  #startAs(form: string, node: Node, options: RunOptions): Promise<{ readonly status: string } | undefined> {
    const { control } = node;
    const { note } = this.#noting();
    if (form === 'run') return control.run(options, (run) => this.#work(run, node));
    if (form === 'start') {
      return control
        .start(options, (run) => this.#work(run, node))
        .then((answer) => {
          if ('outcome' in answer) note(`outcome of ${answer.status}`, answer.outcome as Promise<unknown>);
          return answer;
        });
    }
    if (form === 'stream') {
      return control
        .stream(options, (run) => this.#produce(run, node))
        .then((answer) => {
          if ('outcome' in answer) note(`outcome of ${answer.status} stream`, answer.outcome as Promise<unknown>);
          if ('stream' in answer) note('reading', readAll(answer.stream as ReadableStream<unknown>));
          return answer;
        });
    }
    if (form === 'twin') {
      const runId = `twin-${++this.#ids}`;
      note('twin', this.#handle(node, { ...options, runId }));
      return this.#handle(node, { ...options, runId });
    }
    return this.#handle(node, options);
  }

  async #handle(node: Node, options: RunOptions): Promise<{ readonly status: string }> {
    const begun = await node.control.runs.begin(options).catch((error: unknown) => {
      if (options.runId !== undefined) this.#world.watch.refused(options.runId);
      throw error;
    });
    const { note } = this.#noting();
    if (begun.status === 'aborted' && options.runId !== undefined) this.#world.watch.refused(options.runId);
    if (begun.status === 'started') this.#use(begun.run, node);
    if (begun.status === 'duplicate') note('outcome of a duplicate', begun.outcome);
    if (begun.status === 'queued') {
      note(
        'started',
        begun.started.then((result) => {
          if (result.status === 'started') this.#use(result.run, node);
        }),
      );
    }
    return begun;
  }

  /** A run that is current, or was until just now. */
  #use(run: Run, node: Node): void {
    const { watch } = this.#world;
    this.#runs.set(run, node);
    this.#owners.set(run.id, run.owner);
    this.#known.push(run.id);
    watch.run(run);
    const send = run.fence(() => watch.effect(run.id, 'send'));
    // What is forgotten tells nothing any more.
    watch.attempt(() => node.control.runs.get(run.id) !== undefined && send());
    send();
    if (this.#isOver) run.complete();
  }

  async #work(run: Run, node: Node): Promise<string> {
    const { watch } = this.#world;
    this.#use(run, node);
    if (this.#isOver) return 'done';
    return watch.during('work', run, undefined, async () => {
      if (this.#random.chance(0.3)) this.#commit(run);
      await this.#time(this.#random.chance(0.2) ? 8_000 : 300);
      if (this.#random.chance(0.2)) throw new Error('the work failed');
      return 'done';
    });
  }

  async *#produce(run: Run, node: Node): AsyncGenerator<number> {
    this.#use(run, node);
    for (let item = 0; item < 3; item++) {
      await this.#time(200);
      yield item;
    }
  }

  #abort(node: Node, run: Run): void {
    const { watch } = this.#world;
    const { control } = node;
    const requester = this.#pick([undefined, ADA, EVE]);
    const reason = this.#pick(['user', 'policy', 'disconnect'] as const) ?? 'user';
    const about = requester === undefined ? { reason } : { reason, requester };
    const selector = this.#pick([
      { runId: run.id },
      { sessionKey: run.sessionKey },
      { sessionKey: run.sessionKey, kind: 'chat' },
      { runId: `intent-${++this.#ids}`, sessionKey: run.sessionKey },
    ]);
    const isIntent = selector !== undefined && 'runId' in selector && selector.runId !== run.id;
    const generations = new Map(control.runs.list().map(({ runId, generation }) => [runId, generation]));
    const isOnlyHere = new Set([...generations.keys()].filter((runId) => this.#nodesOf(runId) === 1));
    const answer = watch.stopping(
      () => control.abort(selector ?? { runId: run.id }, { ...about, ...(isIntent && { intent: true }) }),
      // Those of other nodes are cut when their node hears of it; a retry there and its first run here have one id.
      (receipt) => receipt.runIds.filter((runId) => isOnlyHere.has(runId) && this.#nodesOf(runId) === 1),
    );
    void this.#pending.note('abort', answer).then((receipt) => {
      if (receipt === undefined) return;
      if (receipt.recorded === 'cluster') this.#expectMarked(receipt.runIds, generations);
      void this.#pending.note(
        'quiet',
        receipt.whenQuiet().then((report) => {
          // Of a run of another node a receipt says only that nothing was reported.
          if (report.runs.every(({ state }) => state !== 'unreported')) watch.checkReport(report);
        }),
      );
    });
    if (isIntent && this.#random.chance(0.7)) {
      const { runId, sessionKey } = selector as { runId: string; sessionKey: string };
      void this.#pending.note('intended', this.#handle(node, { ...this.#options(), runId, sessionKey }));
    }
  }

  #nodesOf(runId: string): number {
    return this.#world.nodes.filter(({ control }) => control.runs.get(runId) !== undefined).length;
  }

  /** The receipt says that every node has been told: the state must know. */
  #expectMarked(runIds: readonly string[], generations: ReadonlyMap<string, number>): void {
    for (const runId of runIds) {
      const [stored] = this.#world.state.read({ runId }) as readonly StoredRun[];
      const isThatOne = stored !== undefined && stored.generation === generations.get(runId);
      if (isThatOne && stored.status === 'running') this.#wrong.push(`recorded, and ${runId} runs in the backend`);
    }
  }

  #finish(run: Run): void {
    const roll = this.#random.below(4);
    if (roll === 0) run.fail(new Error('failed'));
    else if (roll === 1) {
      const upstream = [...this.#upstream];
      this.#pick(upstream)?.abort();
    } else run.complete('done');
  }

  #commit(run: Run): void {
    const { watch } = this.#world;
    const ms = this.#random.chance(0.1) ? 20_000 : this.#random.below(200);
    const written = run.commit(({ token }) => watch.during('section', run, token, () => this.#time(ms)), {
      timeoutMs: this.#random.below(10_000),
    });
    void this.#pending.note(`commit of ${run.id}`, written);
  }

  #announceEpilogue(run: Run): void {
    const { watch } = this.#world;
    const ms = this.#random.chance(0.1) ? 20_000 : this.#random.below(200);
    try {
      run.epilogue(({ token }) => watch.during('epilogue', run, token, () => this.#time(ms)));
    } catch (error) {
      if (!isRunfenceError(error)) throw error;
    }
  }

  #child(run: Run): void {
    const node = this.#runs.get(run) as Node;
    const whenBusy = this.#pick(WHEN_BUSY) ?? 'concurrent';
    const before = new Set(node.control.runs.list().map(({ runId }) => runId));
    const child = run.child({ whenBusy, detached: this.#random.chance(0.2) }, (inner) => this.#work(inner, node));
    const added = node.control.runs.list().filter(({ runId }) => !before.has(runId));
    const refused = (): void => {
      for (const { runId } of added) this.#world.watch.refused(runId);
    };
    child.then((result) => {
      if (result.status !== 'completed') refused();
    }, refused);
    void this.#pending.note(`child of ${run.id}`, child);
  }

  #acquire(node: Node, run: Run): void {
    const holder = this.#runs.get(run) === node && this.#random.chance(0.5) ? { holder: run } : {};
    const acquired = node.control.locks.acquire(run.sessionKey, { ...holder, timeoutMs: this.#random.below(5_000) });
    void this.#pending.note('acquire', acquired).then(async (grant) => {
      if (grant === undefined) return;
      await this.#time(this.#random.below(500));
      grant.release();
    });
  }

  #act(run: Run): void {
    const { watch } = this.#world;
    const roll = this.#random.below(3);
    if (roll === 0) {
      const tool = run.gate(() => watch.during('tool', run, undefined, () => this.#time(this.#random.below(300))));
      void this.#pending.note('gate', tool());
    } else if (roll === 1) {
      run.attach({ name: 'process', stop: () => this.#time(this.#random.below(300)) });
    } else run.defer(() => this.#time(this.#random.below(100)));
  }

  #options(): RunOptions & { whenBusy: string; startWhen: string } {
    const random = this.#random;
    const runId = random.chance(0.15) ? this.#pick(this.#known) : random.chance(0.3) ? `own-${++this.#ids}` : undefined;
    const owner = this.#pick([undefined, undefined, ADA, ADA, ADA, EVE]);
    const upstream = random.chance(0.1) ? new AbortController() : undefined;
    if (upstream !== undefined) {
      this.#upstream.add(upstream);
      this.#world.watch.signal(upstream.signal);
    }
    return {
      sessionKey: this.#pick(SESSIONS) ?? 's',
      whenBusy: this.#pick(WHEN_BUSY) ?? 'interrupt',
      startWhen: random.chance(0.2) ? 'quiet' : 'fenced',
      ...(runId !== undefined && { runId }),
      ...(owner !== undefined && { owner }),
      ...(upstream !== undefined && { signal: upstream.signal }),
      ...(random.chance(0.2) && { timeoutMs: 1 + random.below(4_000) }),
      ...(random.chance(0.2) && { queueTimeoutMs: 1 + random.below(4_000) }),
    };
  }

  /** All faults end, and so does every run. */
  async #end(): Promise<void> {
    const { nodes, clock, watch } = this.#world;
    this.#isOver = true;
    for (const { backend } of nodes) backend.heal();
    await flush();
    await clock.advance(30_000);
    for (const run of this.#runs.keys()) run.complete();
    await clock.advance(30_000);
    for (const { control } of nodes) {
      for (const { runId } of control.runs.list()) this.#wrong.push(`${runId} is not over`);
    }
    await this.#takeOverOnce();
    this.#say(watch.checkSettled());
    for (const name of this.#pending.names) this.#wrong.push(`still waits: ${name}`);
    this.#expectAuthorised();
    await clock.advance(ALL_MS);
    const drained = Promise.all(nodes.map(({ control }) => control.drain({ graceMs: 0 })));
    void this.#pending.note('drain', drained);
    await clock.advance(10_000);
    this.#say(watch.check());
    this.#say(watch.checkNothingLeft());
    for (const name of this.#pending.names) this.#wrong.push(`still waits after all: ${name}`);
    await watch.close();
  }

  /** Whatever was lost on the way: a healthy node can take every session over. */
  async #takeOverOnce(): Promise<void> {
    const { nodes, clock } = this.#world;
    for (const { control } of nodes) {
      for (const sessionKey of SESSIONS) {
        const begun = control.runs.begin({ sessionKey, startWhen: 'quiet' });
        void this.#pending.note(`the last takeover of ${sessionKey}`, begun);
        let over: string | undefined;
        begun.then(
          async (result) => {
            const last = result.status === 'queued' ? await result.started : result;
            if (last.status === 'started') last.run.complete();
            const isDrained = last.status === 'rejected' && last.cause === 'draining';
            over = isDrained ? 'started' : last.status;
          },
          (error: unknown) => {
            over = String(error);
          },
        );
        await flush();
        await clock.advance(10_000);
        if (over !== 'started') this.#wrong.push(`${sessionKey} cannot be taken over: ${over}`);
      }
    }
    await clock.advance(1_000);
  }

  /** Nobody was stopped, or taken over from, by a stranger. */
  #expectAuthorised(): void {
    for (const { run } of this.#world.watch.history.all('run:started')) this.#owners.set(run.runId, run.owner);
    for (const { run, requester, supersededBy } of this.#world.watch.history.all('run:aborted')) {
      const by = supersededBy === undefined ? requester : this.#owners.get(supersededBy);
      if (typeof by === 'object' && by.userId !== run.owner?.userId) {
        this.#wrong.push(`${by.userId} stopped ${run.runId} of ${run.owner?.userId}`);
      }
    }
  }

  #say(violations: readonly { readonly invariant: number; readonly text: string }[]): void {
    for (const { invariant, text } of violations) {
      if (!this.#isExpected(text)) this.#wrong.push(`invariant ${invariant}: ${text}`);
    }
  }

  /** What a node cannot know, or make good, when answers and notices were lost. */
  #isExpected(text: string): boolean {
    // The number was in the lost answer, or the request to forget was lost: it expires in the backend.
    if (/^the stop \d+ of \w+ in the backend$/.test(text)) return this.#isLossy;
    if (/^the run \S+ in the backend, (completed|failed|aborted)$/.test(text)) return this.#isLossy;
    // The backend has freed the one lock when it gives the next; that its answers come in this order is not said.
    if (/^\w+: \d+ granted beside /.test(text)) return true;
    // Of a node that is drained.
    if (/^at effect:fenced: \S+ is not there$/.test(text)) return true;
    // Read back from the backend, which keeps the reason, and not who it was.
    return this.#world.nodes.length > 1 && / was superseded by nobody$/.test(text);
  }

  #time(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.clock.setTimeout(resolve, ms));
  }

  #noting(): { note: (name: string, promise: Promise<unknown>) => void } {
    return {
      note: (name, promise) => {
        void this.#pending.note(name, promise);
      },
    };
  }

  #pick<T>(items: readonly [T, ...T[]]): T;
  #pick<T>(items: readonly T[]): T | undefined;
  #pick<T>(items: readonly T[]): T | undefined {
    return items[this.#random.below(items.length)];
  }
}

async function readAll(stream: ReadableStream<unknown>): Promise<void> {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}
