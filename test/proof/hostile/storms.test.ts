import type { Backend, Run, RunControl } from 'runfence';
import { FaultyBackend, flush } from 'runfence/testing';
import { test } from 'vitest';
import { begin as beginRun } from '../../support/begin.js';
import { untilCut } from '../../support/work.js';
import { recordOf } from './closed.js';
import { type Node, type Nodes, nodesOn } from './nodes.js';
import { Pending } from './pending.js';
import { everySeed } from './settings.js';

/** `HOSTILE_BEGINS` says how many starts a storm has. */
const BEGINS = Number(process.env.HOSTILE_BEGINS ?? 100);
const FAULTS = { latencyMs: 30, refused: 0.1, broken: 0.1, stalled: 0.05, lost: 0.05 };
const FORMS = ['begin', 'run', 'start', 'stream'] as const;
const ALL_MS = 60_000;
/** A claim that is not answered takes 2 s. */
const STORM_MS = 2_000 * BEGINS;

/** One of many takeovers: how its start was answered, and its run, once it has one. */
interface Start {
  readonly order: number;
  readonly node: Node;
  run: Run | undefined;
  code: unknown;
}

function begin(control: RunControl, form: (typeof FORMS)[number], start: Start): Promise<unknown> {
  const options = { sessionKey: 's' };
  const work = (run: Run): Promise<void> => {
    start.run = run;
    return untilCut(run);
  };
  /** The backend may fail it when its answer was `queued` already. */
  const failedInQueue = (result: { readonly status: string; readonly error?: unknown }): void => {
    if (result.status === 'failed') start.code = (result.error as { code?: unknown }).code;
  };
  switch (form) {
    case 'begin':
      return control.runs.begin(options).then((begun) => {
        if (begun.status === 'started') void work(begun.run).then(() => begun.run.complete());
        if (begun.status === 'queued') {
          return begun.started.then((result) => {
            if (result.status === 'started') void work(result.run).then(() => result.run.complete());
            else failedInQueue(result);
          });
        }
        return undefined;
      });
    case 'run':
      return control.run(options, work);
    case 'start':
      return control.start(options, work).then(async (answer) => {
        if ('outcome' in answer) failedInQueue(await answer.outcome);
      });
    case 'stream':
      // Nobody reads, and nobody is to give up on that.
      return control
        .stream({ ...options, readTimeoutMs: Number.POSITIVE_INFINITY }, (run) => {
          void work(run);
          // It says nothing, and is fenced off at the cut.
          return new ReadableStream();
        })
        .then((answer) => {
          if ('outcome' in answer) void answer.outcome.then(failedInQueue);
        });
  }
}

/** A run that is current, and then many takeovers in one tick, dealt out to the nodes and the forms. */
class Storm {
  readonly world: Nodes;
  readonly wrong: string[] = [];
  readonly pending: Pending = new Pending();
  readonly starts: readonly Start[];
  readonly old: Run;

  private constructor(world: Nodes, old: Run, seed: number) {
    this.world = world;
    this.old = old;
    this.starts = Array.from({ length: BEGINS }, (_, order) => {
      const node = world.nodes[order % world.nodes.length] as Node;
      const start: Start = { order, node, run: undefined, code: undefined };
      const form = FORMS[(seed + Math.floor(order / world.nodes.length)) % FORMS.length] ?? 'begin';
      const answer = begin(node.control, form, start).catch((error: unknown) => {
        start.code = (error as { code?: unknown }).code;
      });
      void this.pending.note(`${form} ${order}`, answer);
      return start;
    });
  }

  /** @param faults - from the storm on */
  static async of(nodes: number, seed: number, faults: typeof FAULTS | { readonly latencyMs: number }): Promise<Storm> {
    // The run before the storm needs a backend that lets it in.
    const world = nodesOn(faults, nodes, seed);
    const [{ control }] = world.nodes as readonly [Node];
    let old: Run | undefined;
    while (old === undefined) {
      const begun = beginRun(control).catch(() => undefined);
      await world.clock.advance(10_000);
      old = await begun;
    }
    return new Storm(world, old, seed);
  }

  /** The last start has no answer yet. */
  get isUndecided(): boolean {
    const last = this.starts[BEGINS - 1];
    return last?.run === undefined && last?.code === undefined;
  }

  get current(): Start[] {
    return this.starts.filter(({ run }) => run?.isCurrent() === true);
  }

  /** The old run is cut with the first answer, whatever it is, and stays so. */
  expectOldStopped(when: string): void {
    if (this.old.isCurrent()) this.wrong.push(`the old run is current ${when}`);
  }

  /** Heals all, and ends it. */
  async end(): Promise<readonly string[]> {
    const { world, wrong, pending } = this;
    for (const { backend } of world.nodes) backend?.heal();
    await flush();
    const stopped = Promise.all(world.nodes.map(({ control }) => control.abort({ sessionKey: 's' })));
    this.old.complete();
    await world.clock.advance(ALL_MS);
    await stopped;
    for (const name of pending.names.slice(0, 3)) wrong.push(`still waits: ${name}`);
    const drained = Promise.all(world.nodes.map(({ control }) => control.drain({ graceMs: 0 })));
    await world.clock.advance(ALL_MS);
    await drained;
    for (const { control } of world.nodes) if (control.runs.unquiet().length > 0) wrong.push('runs are left');
    await world.watch.close();
    return wrong;
  }
}

/** One current run at most at any time; at the end the last start, or nobody if the backend failed the last one. */
async function onOneNode(seed: number): Promise<readonly string[]> {
  const storm = await Storm.of(1, seed, FAULTS);
  const { world, wrong, starts, pending } = storm;
  const { clock } = world;
  const [{ control, backend = new FaultyBackend() }] = world.nodes as readonly [Node];
  // One claim a session is on its way at a time, and one that is not answered takes its bound.
  for (let ms = 250; ms <= 2_000 || (storm.isUndecided && ms < STORM_MS); ms += 250) {
    await clock.advance(250);
    if (storm.current.length > 1) wrong.push(`${storm.current.length} current runs after ${ms} ms`);
    if (control.runs.session('s').activeRunIds.length > 1) wrong.push('the session has two active runs');
    if (ms >= 2_500) storm.expectOldStopped(`after ${ms} ms`);
  }
  const [winner] = storm.current;
  const last = starts[BEGINS - 1] as Start;
  for (const { order, code } of starts) {
    if (code !== undefined && code !== 'BACKEND_UNAVAILABLE') wrong.push(`start ${order} failed with ${String(code)}`);
  }
  if (winner === undefined && last.code === undefined) wrong.push('no current run, and the last start did not fail');
  if (winner !== undefined && winner !== last) wrong.push(`start ${winner.order} won, and not the last`);

  // A stop is not held up by claims that hang, and says what it knows.
  const before = clock.monotonic();
  backend.hold('claim');
  backend.hold('stop');
  const hung = control.runs.begin({ sessionKey: 's', whenBusy: 'concurrent' });
  void pending.note('hung', hung);
  const stopped = control.abort({ sessionKey: 's' });
  if (storm.current.length > 0) wrong.push('current after the stop has returned');
  let recorded: string | undefined;
  void stopped.then((receipt) => {
    recorded = receipt.recorded;
    if (clock.monotonic() - before > 2_000) wrong.push(`the stop took ${clock.monotonic() - before} ms`);
  });
  await clock.advance(2_000);
  if (recorded !== 'unreachable') wrong.push(`the stop was not recorded, and the receipt says ${recorded}`);
  backend.release('claim');
  backend.release('stop');
  return storm.end();
}

test('takeover storms: of many starts in one tick the last is current, or none if the backend failed it; the old run stays stopped', () =>
  everySeed(`takeover storms of ${BEGINS} starts`, 8, onOneNode));

/** Late answers and notices, which all come in the end: exactly one run is current, on whichever node. */
async function onTwoNodes(seed: number): Promise<readonly string[]> {
  const storm = await Storm.of(2, seed, { latencyMs: 30 });
  const { world, wrong, starts } = storm;
  await world.clock.advance(ALL_MS);
  storm.expectOldStopped('after the storm');
  const active = world.nodes.flatMap(({ control }) => control.runs.session('s').activeRunIds);
  if (active.length !== 1) wrong.push(`${active.length} active runs over both nodes`);
  if (storm.current.length !== 1) wrong.push(`${storm.current.length} current runs over both nodes`);
  const [winner] = storm.current;
  // No order across nodes: it is the last of its own.
  const last = starts.findLast(({ node }) => node === winner?.node);
  if (winner !== undefined && winner !== last) wrong.push(`start ${winner.order} won, and not the last of its node`);
  for (const { order, code } of starts) if (code !== undefined) wrong.push(`start ${order} failed: ${String(code)}`);
  const { runs } = recordOf(world.state as Backend, 's');
  const running = runs.filter(({ status }) => status === 'running').map(({ runId }) => runId);
  if (running.join() !== active.join()) wrong.push(`the backend has ${running.length} running runs`);
  return storm.end();
}

test('takeover storms on two nodes: of many starts in one tick exactly one is current at the end; the old run stays stopped', () =>
  everySeed(`takeover storms of ${BEGINS} starts on two nodes`, 6, onTwoNodes));
