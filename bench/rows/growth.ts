import { createRunControl, type Run, type RunControl } from 'runfence';
import { cpuTime, type Side } from '../harness/compare.js';
import { type Figure, ratio } from '../harness/figure.js';
import { type Bench, check, type Row, sink } from '../harness/row.js';
import { begin, NO_RETENTION } from '../harness/sessions.js';

const FEW = 1_000;
const MANY = 10_000;
const TAKEOVERS = 500;
const REASON = new Error('stop');

/** Does what is measured with so many runs, and gives the time in ns that it took. */
type Measured = (count: number) => number | Promise<number>;

interface Case {
  readonly name: string;
  readonly ours: Measured;
  /** The same by hand, on a plain Map. */
  readonly byHand: Measured;
}

function enqueued(control: RunControl): Run {
  const begun = control.runs.beginSync({ sessionKey: 'chat', whenBusy: 'enqueue' });
  check(begun.status === 'queued', 'a run that is queued');
  return begun.run;
}

/** A queue of so many in one session is filled, and served to its end. */
function queue(count: number, listener?: (length: number) => void): number {
  const control = createRunControl({ retention: NO_RETENTION });
  if (listener !== undefined) control.on('queue:changed', ({ length }) => listener(length));
  const start = cpuTime();
  const first = begin(control.runs, { sessionKey: 'chat' });
  const runs = Array.from({ length: count }, () => enqueued(control));
  first.complete();
  for (const run of runs) run.complete();
  const elapsed = cpuTime() - start;
  check(
    runs.every(({ status }) => status === 'completed'),
    'runs that have their turn',
  );
  return elapsed;
}

function queueByHand(count: number, listener: (length: number) => void = () => {}): number {
  const waiting = new Map<number, () => void>();
  let done = 0;
  const start = cpuTime();
  for (let i = 0; i < count; i++) {
    waiting.set(i, () => {
      done += 1;
    });
    listener(waiting.size);
  }
  for (const [i, work] of waiting) {
    waiting.delete(i);
    listener(waiting.size);
    work();
  }
  const elapsed = cpuTime() - start;
  check(done === count, 'work that is called');
  return elapsed;
}

/** Takeovers in a session in which so many runs unwind. For each of those, to compare sizes: it is the same for any. */
function takeovers(count: number): number {
  const { runs } = createRunControl({ retention: NO_RETENTION });
  const all = Array.from({ length: count }, () => begin(runs, { sessionKey: 'chat' }));
  const start = cpuTime();
  for (let i = 0; i < TAKEOVERS; i++) all.push(begin(runs, { sessionKey: 'chat' }));
  const elapsed = cpuTime() - start;
  check(runs.session('chat').stoppingRunIds.length === count + TAKEOVERS - 1, 'runs that unwind');
  for (const run of all) run.complete();
  return (elapsed / TAKEOVERS) * count;
}

function takeoversByHand(count: number): number {
  const current = new Map<string, AbortController>();
  const stopping = new Set<AbortController>();
  const takeOver = (): void => {
    const old = current.get('chat');
    old?.abort(REASON);
    if (old !== undefined) stopping.add(old);
    current.set('chat', new AbortController());
  };
  for (let i = 0; i < count; i++) takeOver();
  const start = cpuTime();
  for (let i = 0; i < TAKEOVERS; i++) takeOver();
  const elapsed = cpuTime() - start;
  sink.value = stopping;
  return (elapsed / TAKEOVERS) * count;
}

/** One run among so many is aborted by its kind. For each of the others: they are looked at. */
async function byKind(count: number): Promise<number> {
  const { runs, aborts } = createRunControl({ retention: NO_RETENTION });
  const others = Array.from({ length: count }, (_, i) => begin(runs, { sessionKey: `chat-${i}` }));
  const rare = begin(runs, { sessionKey: 'rare', kind: 'rare' });
  const start = cpuTime();
  await aborts.abort({ kind: 'rare' });
  const elapsed = cpuTime() - start;
  check(!rare.isCurrent() && others.every((run) => run.isCurrent()), 'one run that is cut');
  for (const run of [...others, rare]) run.complete();
  return elapsed;
}

function entriesByHand(count: number): Map<number, { readonly kind: string; readonly controller: AbortController }> {
  const entry = (i: number): [number, { kind: string; controller: AbortController }] => [
    i,
    { kind: i === 0 ? 'rare' : 'chat', controller: new AbortController() },
  ];
  return new Map(Array.from({ length: count }, (_, i) => entry(i)));
}

function byKindByHand(count: number): number {
  const entries = entriesByHand(count);
  const start = cpuTime();
  for (const { kind, controller } of entries.values()) if (kind === 'rare') controller.abort(REASON);
  return cpuTime() - start;
}

async function all(count: number): Promise<number> {
  const { runs, aborts } = createRunControl({ retention: NO_RETENTION });
  const live = Array.from({ length: count }, (_, i) => begin(runs, { sessionKey: `chat-${i}` }));
  const start = cpuTime();
  await aborts.abort('all');
  const elapsed = cpuTime() - start;
  check(
    live.every((run) => !run.isCurrent()),
    'runs that are cut',
  );
  for (const run of live) run.complete();
  return elapsed;
}

function allByHand(count: number): number {
  const entries = entriesByHand(count);
  const start = cpuTime();
  for (const { controller } of entries.values()) controller.abort(REASON);
  return cpuTime() - start;
}

function listener(length: number): void {
  sink.value = length;
}

const CASES: readonly Case[] = [
  { name: 'a queue in one session', ours: (count) => queue(count), byHand: (count) => queueByHand(count) },
  {
    name: 'the same with a listener of queue:changed',
    ours: (count) => queue(count, listener),
    byHand: (count) => queueByHand(count, listener),
  },
  { name: 'takeovers beside runs that unwind', ours: takeovers, byHand: takeoversByHand },
  { name: 'abort({ kind }) of one among many', ours: byKind, byHand: byKindByHand },
  { name: "abort('all')", ours: all, byHand: allByHand },
];

async function grown(bench: Bench, { name, ours, byHand }: Case): Promise<Figure[]> {
  const side = (who: string, measured: Measured, count: number): Side => {
    const runs = bench.count(count);
    return { name: who, least: runs, most: runs, batch: measured };
  };
  const [few, many, peer] = await bench.compare([
    side(`at ${FEW}`, ours, FEW),
    side(`at ${MANY}`, ours, MANY),
    side('a plain Map', byHand, MANY),
  ]);
  return [
    ratio(`${name}: each at 10 000, over each at 1 000`, many, few, { budget: 2 }),
    ratio(`${name}: at 10 000, by hand`, many, peer),
  ];
}

export const row: Row = {
  title: 'growth from 1 000 to 10 000 runs',
  measure: async (bench) => {
    const figures: Figure[] = [];
    for (const one of CASES) figures.push(...(await grown(bench, one)));
    return figures;
  },
};
