import type { Run, RunOptions } from 'runfence';
import { commit } from './acts.js';
import { ADA, type Cast, EVE, SESSIONS } from './cast.js';
import type { Node } from './nodes.js';

export const WHEN_BUSY = ['interrupt', 'enqueue', 'reject', 'concurrent'] as const;
const FORMS = ['begin', 'begin', 'run', 'start', 'stream', 'twin'] as const;
const NO_RUN: ReadonlySet<string | undefined> = new Set(['rejected', 'aborted', 'duplicate']);

type Answer = { readonly status: string };
type Given = RunOptions & { readonly whenBusy: string; readonly startWhen: string };

/** Starts a run at random, through one of the forms. */
export function begin(cast: Cast, node: Node): void {
  const { control } = node;
  const before = cast.listed(control);
  const options = randomOptions(cast);
  const form = cast.random.pick(FORMS);
  const answer = startAs(cast, form, node, options);
  const refused = cast.refusals(control, before);
  answer.then((result) => NO_RUN.has(result.status) && refused(), refused);
  cast.note(`${form} ${options.whenBusy} ${options.startWhen} ${options.runId ?? ''}`, answer);
}

function startAs(cast: Cast, form: (typeof FORMS)[number], node: Node, options: RunOptions): Promise<Answer> {
  const { control } = node;
  switch (form) {
    case 'run':
      return control.run(options, (run) => work(cast, run, node));
    case 'start':
      return control
        .start(options, (run) => work(cast, run, node))
        .then((answer) => {
          if ('outcome' in answer) cast.note(`outcome of ${answer.status}`, answer.outcome as Promise<unknown>);
          return answer;
        });
    case 'stream':
      return control
        .stream(options, (run) => produce(cast, run, node))
        .then((answer) => {
          if ('outcome' in answer) cast.note(`outcome of ${answer.status} stream`, answer.outcome as Promise<unknown>);
          if ('stream' in answer) cast.note('reading', readAll(answer.stream as ReadableStream<unknown>));
          return answer;
        });
    case 'twin': {
      const runId = cast.newId('twin');
      cast.note('twin', handle(cast, node, { ...options, runId }));
      return handle(cast, node, { ...options, runId });
    }
    case 'begin':
      return handle(cast, node, options);
  }
}

/** A run whose control flow is the scenario's. */
export async function handle(cast: Cast, node: Node, options: RunOptions): Promise<Answer> {
  const { watch } = cast.world;
  const { runId } = options;
  const begun = await node.control.runs.begin(options).catch((error: unknown) => {
    if (runId !== undefined) watch.refused(runId);
    throw error;
  });
  const isRefused = begun.status === 'aborted' || begun.status === 'rejected';
  if (isRefused && runId !== undefined) watch.refused(runId);
  if (begun.status === 'started') cast.use(begun.run, node);
  if (begun.status === 'duplicate') {
    const { runId: id } = begun.run;
    void cast.pending.note('outcome of a duplicate', begun.outcome).then((outcome) => {
      if (outcome !== undefined) watch.told(node.control, id, outcome, 'duplicate');
    });
  }
  if (begun.status === 'queued') {
    const started = begun.started.then((result) => {
      if (result.status === 'started') cast.use(result.run, node);
    });
    cast.note('started', started);
  }
  return begun;
}

export function child(cast: Cast, run: Run): void {
  const node = cast.runs.get(run) as Node;
  const { random } = cast;
  const before = cast.listed(node.control);
  const options = { whenBusy: random.pick(WHEN_BUSY), detached: random.chance(0.2) };
  const answer = run.child(options, (inner) => work(cast, inner, node));
  const refused = cast.refusals(node.control, before);
  answer.then((result) => result.status !== 'completed' && refused(), refused);
  cast.note(`child of ${run.id}`, answer);
}

export function randomOptions(cast: Cast): Given {
  const { random, world } = cast;
  const known = random.chance(0.15) ? random.oneOf(cast.known) : undefined;
  const runId = known ?? (random.chance(0.3) ? cast.newId('own') : undefined);
  const owner = random.pick([undefined, undefined, ADA, ADA, ADA, EVE]);
  const upstream = random.chance(0.1) ? new AbortController() : undefined;
  if (upstream !== undefined) {
    cast.upstream.push(upstream);
    world.watch.signal(upstream.signal);
  }
  return {
    sessionKey: random.pick(SESSIONS),
    whenBusy: random.pick(WHEN_BUSY),
    startWhen: random.chance(0.2) ? 'quiet' : 'fenced',
    ...(random.chance(0.2) && { tags: ['red'] }),
    ...(runId !== undefined && { runId }),
    ...(owner !== undefined && { owner }),
    ...(upstream !== undefined && { signal: upstream.signal }),
    ...(random.chance(0.2) && { timeoutMs: 1 + random.below(4_000) }),
    ...(random.chance(0.2) && { queueTimeoutMs: 1 + random.below(4_000) }),
  };
}

/** Work that ignores its signal. */
async function work(cast: Cast, run: Run, node: Node): Promise<string> {
  const { random, world } = cast;
  cast.use(run, node);
  if (cast.isOver) return 'done';
  return world.watch.during('work', run, undefined, async () => {
    if (random.chance(0.3)) commit(cast, run);
    await cast.time(random.chance(0.2) ? 8_000 : 300);
    if (random.chance(0.2)) throw new Error('the work failed');
    return 'done';
  });
}

async function* produce(cast: Cast, run: Run, node: Node): AsyncGenerator<number> {
  cast.use(run, node);
  for (let item = 0; item < 3; item++) {
    await cast.time(200);
    yield item;
  }
}

async function readAll(stream: ReadableStream<unknown>): Promise<void> {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}
