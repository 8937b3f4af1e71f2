import type { BeginResult, Run, RunOptions, StreamResult } from 'runfence';
import { gate } from '../../support/work.js';
import { pointedSource, pointedStream } from './proxies.js';
import { ignore, KEY, OWNER, type Scenario, type Stage, TIMEOUT_MS } from './stage.js';
import { announce, everything, section, sinkOf, soon, toolOf } from './work.js';

export const FORMS = [
  'run',
  'child',
  'start',
  'stream of an iterable',
  'stream of a stream',
  'gated stream',
  'begin',
  'beginSync',
] as const;
export const BUSY = ['interrupt', 'enqueue', 'reject', 'concurrent', 'quiet'] as const;
export type Form = (typeof FORMS)[number];
export type Busy = (typeof BUSY)[number];

/** The tag of the run whose child has a child's fate: the run in the middle, or its parent. */
export const PARENT = 'parent';

/**
 * The life of a session: a run is busy in it; the run in the middle comes, in this form and with this `whenBusy`; then
 * one that is stopped in the midst of everything; and one that comes after.
 */
export function scenario(form: Form, busy: Busy): Scenario {
  return { life: life(form, busy), shutdown };
}

function life(form: Form, busy: Busy): Scenario['life'] {
  return async (stage) => {
    const before = await startBefore(stage);
    if (busy === 'reject') {
      await stage.settles('the refused run', middle(stage, form, busy));
      before.release();
      await stage.settles('the end of the run before', before.outcome);
      await stage.settles('the run in the middle', middle(stage, form, busy));
    } else {
      const asked = stage.settles('the run in the middle', middle(stage, form, busy));
      before.release();
      await asked;
      await stage.settles('the end of the run before', before.outcome);
    }
    await stopInTheMidst(stage);
    await comeAfter(stage);
  };
}

async function startBefore(stage: Stage): Promise<{ release: () => void; outcome: Promise<unknown> }> {
  const { control, watch, points } = stage;
  const released = gate();
  const answer = await stage.settles(
    'the start of the run before',
    points.around('control.start', () =>
      control.start(options('before'), (run) =>
        watch.during('work', run, undefined, async () => {
          stage.enlist(run);
          announce(stage, run);
          await run.commit(section(stage, run, 'section before')).catch(ignore);
          points.step('work before: after its commit');
          await Promise.race([released.promise, cut(run)]);
          points.step('work before: unwinds');
        }),
      ),
    )(),
  );
  const release = (): void => released.open();
  return {
    release,
    outcome: 'outcome' in answer && 'runId' in answer ? told(stage, answer.runId, answer.outcome) : Promise.resolve(),
  };
}

/** The run in the middle, until it is over. */
async function middle(stage: Stage, form: Form, busy: Busy): Promise<void> {
  const { control, watch, points } = stage;
  const given: RunOptions = {
    ...options('main'),
    tags: form === 'child' ? [] : [PARENT],
    signal: stage.upstream.signal,
    whenBusy: busy === 'quiet' ? 'interrupt' : busy,
    startWhen: busy === 'quiet' ? 'quiet' : 'fenced',
  };
  const consumed = (run: Run): Promise<string> =>
    watch.during('work', run, undefined, async () => {
      stage.enlist(run);
      await consume(stage, run);
      return 'value';
    });
  const gatedly = (run: Run): Promise<string> =>
    watch.during('work', run, undefined, async () => {
      stage.enlist(run);
      await consumeGated(stage, run);
      return 'value';
    });
  switch (form) {
    case 'run':
    case 'gated stream': {
      const work = form === 'run' ? consumed : gatedly;
      let id: string | undefined;
      const outcome = await points.around('control.run', () =>
        control.run(given, (run) => {
          id = run.id;
          return work(run);
        }),
      )();
      if (id !== undefined) watch.outcome(control, id, outcome.status, 'run');
      break;
    }
    case 'child': {
      const { owner: _, ...own } = given;
      await points.around('control.run of the parent', () =>
        control.run({ ...options('root'), sessionKey: 'root', tags: [PARENT] }, (root) =>
          watch.during('work', root, undefined, async () => {
            stage.enlist(root);
            await points.around('run.child', () => root.child(own, consumed))();
          }),
        ),
      )();
      break;
    }
    case 'start': {
      const answer = await points.around('control.start of the middle', () => control.start(given, consumed))();
      if ('outcome' in answer && 'runId' in answer) {
        const { outcome } = answer;
        const waited = stage.settles('wait', points.around('control.wait', () => control.wait(answer.runId))());
        await told(stage, answer.runId, outcome);
        const { status } = await waited;
        if (status !== 'unknown') watch.outcome(control, answer.runId, status, 'wait');
      }
      break;
    }
    case 'stream of an iterable':
    case 'stream of a stream': {
      const toSource = form === 'stream of a stream' ? pointedStream : pointedSource;
      const answer = await points.around('control.stream', () =>
        control.stream(given, (run) => {
          stage.enlist(run);
          return toSource<string>(points, 'the source', everything(stage, run));
        }),
      )();
      await read(stage, answer);
      break;
    }
    default: {
      const begun =
        form === 'begin'
          ? await points.around('runs.begin', () => control.runs.begin(given))()
          : points.around('runs.beginSync', () => control.runs.beginSync(given))();
      await hold(stage, begun);
    }
  }
}

/** Takes the items as a server does: behind the fence, to a fenced sink. */
async function consume(stage: Stage, run: Run): Promise<void> {
  const source = pointedSource(stage.points, 'body', everything(stage, run));
  try {
    for await (const item of run.fence(source)) stage.watch.effect(run, `body ${item}`);
  } catch {
    // Cut: the body is told, and goes on by itself until it has tried everything.
  }
}

/** The same from a gated function, which begins with the first pull, and whose second call is given up half-way. */
async function consumeGated(stage: Stage, run: Run): Promise<void> {
  const { points, watch } = stage;
  const source = points.around('the gated function', async (isWhole: boolean) => {
    await soon();
    return pointedSource(points, 'gated body', isWhole ? everything(stage, run) : halves(stage, run));
  });
  const tool = run.gateStream((isWhole: boolean) => watch.during('tool', run, undefined, () => source(isWhole)), {
    name: 'gated',
    atAbort: (reason) => `stopped: ${reason}`,
  });
  for (const isWhole of [true, false]) {
    const items = tool(isWhole);
    points.step('work: before the first pull');
    try {
      for await (const item of items) {
        if (!item.startsWith('stopped')) watch.effect(run, `gated ${item}`);
        if (!isWhole) break;
      }
      points.step('work: after the gated stream');
    } catch {
      // A check that the stop overtook.
    }
  }
}

async function* halves({ points }: Stage, run: Run): AsyncGenerator<string> {
  try {
    yield 'half';
  } finally {
    await soon();
    points.step(`gated body: unwound, ${run.kind}`);
  }
}

async function read(stage: Stage, answer: StreamResult<string>): Promise<void> {
  if (!('stream' in answer)) return;
  const { points } = stage;
  const reader = answer.stream.getReader();
  const next = points.around('reader.read', () => reader.read());
  try {
    while ((await stage.settles('a read of the stream', next())).done !== true);
  } catch {
    // The stream errors with the abort.
  }
  await told(stage, answer.runId, answer.outcome);
}

async function hold(stage: Stage, begun: BeginResult): Promise<void> {
  const { points, watch, control } = stage;
  const result = begun.status === 'queued' ? await stage.settles('started', begun.started) : begun;
  if (result.status !== 'started') return;
  const { run } = result;
  await watch.during('handle', run, undefined, async () => {
    stage.enlist(run);
    await consume(stage, run);
    points.step('handle: before complete');
  });
  const wins = run.complete('value');
  points.step('handle: after complete');
  // Where the record answers later, it decides whether that result stands.
  if (stage.kind !== 'asynchronous') watch.outcome(control, run.id, wins ? 'completed' : run.status, 'handle');
}

/** A run that ignores its signal is stopped by its owner while it writes, and while a tool of it runs. */
async function stopInTheMidst(stage: Stage): Promise<void> {
  const { control, watch, points } = stage;
  const deaf = gate();
  const answer = await stage.settles(
    'the start of the deaf run',
    control.start(options('deaf'), (run) =>
      watch.during('work', run, undefined, async () => {
        stage.enlist(run);
        announce(stage, run);
        const called = toolOf(stage, run, 'deaf tool', () => deaf.promise)();
        await run.commit(section(stage, run, 'deaf section')).catch(ignore);
        await called.catch(ignore);
        points.step('deaf work: unwinds');
      }),
    ),
  );
  await soon();
  const receipt = await stage.settles(
    'the receipt',
    points.around('control.abort', () => watch.stop(control, { sessionKey: KEY }, { requester: OWNER }))(),
  );
  watch.checkReport(await stage.settles('the first report', receipt.whenQuiet({ timeoutMs: 10 })));
  deaf.open();
  const report = await stage.settles('the report', points.around('receipt.whenQuiet', () => receipt.whenQuiet())());
  watch.checkReport(report);
  if (!report.quiet) watch.history.wrong(8, `not quiet: ${JSON.stringify(report.runs)}`);
  if ('outcome' in answer && 'runId' in answer)
    await stage.settles('the outcome of the deaf run', told(stage, answer.runId, answer.outcome));
}

async function comeAfter(stage: Stage): Promise<void> {
  const { control, watch } = stage;
  const outcome = control.run(options('after'), (run) =>
    watch.during('work', run, undefined, async () => {
      stage.enlist(run);
      sinkOf(stage, run, 'sink after')();
      await run.commit(section(stage, run, 'section after')).catch(ignore);
    }),
  );
  await stage.settles('the run after', outcome);
}

/** A drain that a live run makes wait, and cuts in the end. */
async function shutdown(stage: Stage): Promise<void> {
  const { control, watch, points } = stage;
  const outcome = control.run({ ...options('last'), timeoutMs: 1_000 }, (run) =>
    watch.during('work', run, undefined, async () => {
      stage.enlist(run);
      announce(stage, run);
      await cut(run);
    }),
  );
  const report = await stage.settles('the last drain', points.around('drain', () => control.drain({ graceMs: 100 }))());
  watch.checkReport(report);
  await stage.settles('the last run', outcome);
}

function options(kind: string): RunOptions {
  return { sessionKey: KEY, kind, owner: OWNER, timeoutMs: TIMEOUT_MS };
}

async function told(stage: Stage, runId: string, outcome: Promise<{ readonly status: string }>): Promise<void> {
  const { status } = await stage.settles('an outcome', outcome);
  if (status === 'rejected') stage.watch.refused(runId);
  else stage.watch.outcome(stage.control, runId, status, 'outcome');
}

function cut(run: Run): Promise<void> {
  return new Promise((resolve) => {
    if (run.signal.aborted) resolve();
    else run.signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
