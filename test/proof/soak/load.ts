import {
  type AbortOptions,
  ADMIN,
  type Backend,
  createRunControl,
  type Requester,
  type Run,
  type RunControl,
  type RunOptions,
  type Selector,
} from 'runfence';
import type { Choices } from '../choices.js';
import { awakeClock } from './awake-clock.js';
import type { Store } from './store.js';
import { Wishes } from './wishes.js';
import { Planned, type Seen, type Witness } from './witness.js';
import { pause, type Scene, streamOf, words, work } from './work.js';

/** How many pieces of work may be under way before the load waits for them. */
const MOST_LIVE = 200;

interface Node {
  readonly control: RunControl;
  readonly name: string;
  readonly scene: Scene;
}

/** Random load on nodes that share a backend, or on one that has a ledger of its own. */
export class Load {
  readonly #nodes: readonly Node[];
  readonly #isSync: boolean;
  readonly #random: Choices;
  readonly #store: Store;
  readonly #witness: Witness;
  readonly #wishes: Wishes;
  #order = 0;
  #isOver = false;

  /** @param name - sets its sessions and run ids apart from those of other loads */
  constructor(
    name: string,
    on: { readonly backend?: Backend; readonly nodes: number },
    random: Choices,
    store: Store,
    witness: Witness,
  ) {
    const { backend } = on;
    this.#wishes = new Wishes(name, random);
    this.#isSync = backend === undefined || backend.synchronous;
    this.#random = random;
    this.#store = store;
    this.#witness = witness;
    this.#nodes = Array.from({ length: on.nodes }, (_, number) => {
      const control = createRunControl({
        ...(backend !== undefined && { backend }),
        clock: awakeClock,
        retention: { ttlMs: 300, max: 500 },
        defaults: { graceMs: 60, epilogueMs: 40, writeGraceMs: 40, lockTimeoutMs: 300, backendTimeoutMs: 400 },
        onError: (error) => witness.error('onError', error),
      });
      witness.hear(control);
      const node: Node = {
        control,
        name: `${name}${number}`,
        scene: {
          random,
          store,
          witness,
          nextOrder: () => this.#nextOrder(),
          stop: (run) => this.#abort(node, { runId: run.id }),
        },
      };
      return node;
    });
  }

  /** Goes on until `stop`. */
  async run(users: number): Promise<void> {
    await Promise.all(Array.from({ length: users }, () => this.#user()));
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Drains every node, and waits until nothing is under way, at most `timeoutMs`. */
  async settle(timeoutMs: number): Promise<void> {
    for (const { control } of this.#nodes) void this.#witness.track('drain', control.drain({ graceMs: 100 }));
    const until = performance.now() + timeoutMs;
    while (performance.now() < until && (this.#witness.unsettled > 0 || this.unquiet > 0)) await pause(10);
  }

  get unquiet(): number {
    return this.#nodes.reduce((sum, { control }) => sum + control.runs.unquiet().length, 0);
  }

  /** Entries, lanes, locks, stops and timers: all 0 once every node is drained. */
  get held(): number {
    return this.#nodes.flatMap(({ control }) => Object.values(control.runs.sizes)).reduce((sum, size) => sum + size, 0);
  }

  async #user(): Promise<void> {
    while (!this.#isOver) {
      this.#witness.operations += 1;
      await this.#operation(this.#anyNode());
      if (this.#random.chance(0.7)) await pause(this.#random.between(0, 4));
      while (this.#witness.live > MOST_LIVE) await pause(1);
    }
  }

  #operation(node: Node): Promise<unknown> {
    switch (
      this.#random.weighted({ run: 20, start: 14, stream: 12, begin: 12, abort: 20, wait: 4, lock: 5, gone: 2 })
    ) {
      case 'run':
        return this.#run(node);
      case 'start':
        return this.#start(node);
      case 'stream':
        return this.#stream(node);
      case 'begin':
        return this.#begin(node);
      case 'abort':
        return this.#abortSome(node);
      case 'wait':
        return this.#wait(node);
      case 'lock':
        return this.#lock(node);
      case 'gone':
        this.#wishes.abortSignal();
        return Promise.resolve();
    }
  }

  async #run(node: Node): Promise<void> {
    const options = this.#wishes.options();
    const outcome = this.#witness.track('run', node.control.run(options, this.#work(node, options)));
    if (this.#random.chance(0.3)) await outcome;
  }

  async #start(node: Node): Promise<void> {
    const options = this.#wishes.options();
    const answer = await this.#witness.track('start', node.control.start(options, this.#work(node, options)));
    if (answer !== undefined && 'outcome' in answer) void this.#witness.track('outcome', answer.outcome);
  }

  async #stream(node: Node): Promise<void> {
    const random = this.#random;
    const options = { ...this.#wishes.options(), readTimeoutMs: 25 };
    const begins = this.#begins(node, options);
    const answer = await this.#witness.track(
      'stream',
      node.control.stream(options, (run) => {
        begins(run);
        if (random.chance(0.02)) throw new Planned('the source');
        const source = words(random, random.chance(0.7) ? run.signal : undefined);
        return random.chance(0.3) ? streamOf(source) : source;
      }),
    );
    if (answer === undefined || !('outcome' in answer)) return;
    void this.#witness.track('outcome', answer.outcome);
    if ('stream' in answer) void this.#witness.track('a reader', this.#read(answer.stream));
  }

  /** Reads to the end, hangs up in the middle, or is gone without a word. */
  async #read(stream: ReadableStream<string>): Promise<void> {
    const reader = stream.getReader();
    const manner = this.#random.weighted({ end: 5, cancel: 3, vanish: 2 });
    for (let chunk = 0; ; chunk++) {
      if (manner !== 'end' && chunk === 2) break;
      const { done } = await reader.read();
      if (done) return;
    }
    if (manner === 'cancel') await reader.cancel();
  }

  async #begin(node: Node): Promise<void> {
    const options = this.#wishes.options();
    const begins = this.#begins(node, options);
    const { runs } = node.control;
    const isSync = this.#isSync && this.#random.chance(0.5);
    const begun = await this.#witness.track(
      'begin',
      // In the tick in which its place was taken: a takeover that is asked for in between comes before it.
      isSync ? (async () => runs.beginSync(options))() : runs.begin(options),
    );
    if (begun?.status === 'duplicate') void this.#witness.track('outcome', begun.outcome);
    const started = begun?.status === 'queued' ? await this.#witness.track('started', begun.started) : begun;
    if (started?.status !== 'started') return;
    const { run } = started;
    // Cut on its way here: a handle that is not current is only given back.
    const loop = run.isCurrent() ? work(node.scene, begins(run)) : Promise.resolve('late');
    const end = loop.then(
      (value) => void (this.#random.chance(0.1) ? run[Symbol.asyncDispose]() : run.complete(value)),
      (error) => void run.fail(error),
    );
    await this.#witness.track('a loop', end);
  }

  async #wait({ control }: Node): Promise<void> {
    const runId = this.#wishes.anyId();
    if (runId === undefined) return;
    await this.#witness.track('wait', control.wait(runId, { timeoutMs: this.#random.between(0, 30) }));
  }

  /** A holder that is no run. */
  async #lock({ control }: Node): Promise<void> {
    const sessionKey = this.#wishes.sessionKey();
    const holder = new AbortController();
    const wish = { holder: holder.signal, timeoutMs: this.#random.between(0, 50) };
    const grant = await this.#witness.track('acquire', control.locks.acquire(sessionKey, wish));
    if (grant === undefined) return;
    const written = grant.commit(async ({ token, lost }) => {
      const section = this.#store.enter(sessionKey, token, lost);
      await pause(this.#random.between(0, 5));
      this.#store.write(section);
      this.#store.leave(section);
    });
    if (this.#random.chance(0.3)) holder.abort();
    await this.#witness.track('a section', written);
    grant.release();
  }

  async #abortSome(node: Node): Promise<void> {
    const random = this.#random;
    const seen = this.#witness.anyLive(random, node.name);
    if (random.chance(0.05)) {
      const [sessionKey, runId] = [this.#wishes.sessionKey(), this.#wishes.idToCome()];
      const intent = random.chance(0.5) ? { runId } : { sessionKey, runId };
      await this.#witness.track('an intent', node.control.abort(intent, { intent: true }));
    } else if (seen !== undefined) {
      await this.#abort(node, this.#wishes.selector(seen));
    }
  }

  async #abort(node: Node, selector: Selector): Promise<void> {
    const random = this.#random;
    const requester = random.pick<Requester | undefined>([undefined, undefined, ADMIN, { userId: 'u1' }]);
    const options: AbortOptions = {
      ...(requester !== undefined && { requester }),
      ...(random.chance(0.1) && { queued: 'keep' }),
    };
    const answer = node.control.abort(selector, options);
    if (requester === undefined || requester === ADMIN) this.#witness.expectCut(node.name, selector);
    const receipt = await this.#witness.track('abort', answer);
    if (receipt === undefined) return;
    const timeoutMs = random.between(0, 80);
    const quiet = this.#witness.track('whenQuiet', receipt.whenQuiet({ timeoutMs }));
    if (random.chance(0.3)) await quiet;
  }

  #work(node: Node, options: RunOptions): (run: Run) => Promise<string> {
    const begins = this.#begins(node, options);
    return (run) => work(node.scene, begins(run));
  }

  /** To be taken when the run is asked for: the place of its begin is that of the call. */
  #begins(node: Node, { whenBusy }: RunOptions): (run: Run) => Seen {
    const order = this.#nextOrder();
    return (run) => {
      this.#wishes.remember(run.id);
      return this.#witness.begins(run, node.name, order, whenBusy === 'interrupt');
    };
  }

  #anyNode(): Node {
    return this.#random.pick(this.#nodes as [Node, ...Node[]]);
  }

  #nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }
}
