import type { RunView } from 'runfence';
import { PARENT } from './scenario.js';
import { KEY, OWNER, type Stage, TIMEOUT_MS } from './stage.js';
import { section } from './work.js';

/** Lands a stop, inside whatever call it is made from. */
export type Stop = (stage: Stage) => void;

/** How far a timeout moves the clock, in ms: it looks twice. */
export const MOVED_MS: number = 2 * TIMEOUT_MS;

export const STOPS: Readonly<Record<string, Stop>> = {
  'the host': (stage) => abortSession(stage, undefined),
  'the owner': (stage) => abortSession(stage, OWNER),
  takeover,
  timeout,
  'another node': abortElsewhere,
  'a takeover elsewhere': takeOverElsewhere,
  'the parent': abortParent,
  drain,
  upstream: (stage) =>
    cutsAtOnce(
      stage,
      (run) => run.kind === 'main',
      () => stage.upstream.abort(),
    ),
};

function abortSession(stage: Stage, requester: typeof OWNER | undefined): void {
  const { control, watch } = stage;
  const asked = requester === undefined ? {} : { requester };
  const isMeant = (run: RunView): boolean => run.sessionKey === KEY;
  const live = liveOf(stage, isMeant);
  const answer = cutsAtOnce(stage, isMeant, () => watch.stop(control, { sessionKey: KEY }, asked));
  void stage.settles('the receipt of the stop', checkReceipt(stage, live, answer));
}

function abortParent(stage: Stage): void {
  const { control, watch } = stage;
  const parents = liveOf(stage, (run) => run.tags.includes(PARENT));
  const isMeant = (run: RunView): boolean => parents.includes(run.runId) || parents.includes(run.parentId ?? '');
  const answer = cutsAtOnce(stage, isMeant, () => watch.stop(control, { tag: PARENT }));
  void stage.settles('the receipt of the stop', checkReceipt(stage, parents, answer));
}

/** The receipt names what was stopped, and the report says what became of it. */
async function checkReceipt(
  stage: Stage,
  live: readonly string[],
  answer: ReturnType<Stage['control']['abort']>,
): Promise<void> {
  const { watch } = stage;
  const receipt = await answer;
  const missing = live.filter((runId) => !receipt.runIds.includes(runId));
  if (missing.length > 0) watch.history.wrong(8, `the receipt does not name ${missing}`);
  if (live.length === 0 && receipt.result === 'aborted') {
    // Its own result was on its way, and the stop was recorded first: then everybody says so.
    for (const runId of receipt.runIds) watch.outcome(stage.control, runId, 'aborted', 'the receipt');
  } else if (live.length > 0 !== (receipt.result === 'aborted')) {
    watch.history.wrong(8, `the receipt says ${receipt.result}, and ${live.length} were live`);
  }
  if (receipt.recorded !== 'local') watch.history.wrong(8, `the stop is recorded as ${receipt.recorded}`);
  const report = await stage.settles('the report of the stop', receipt.whenQuiet());
  watch.checkReport(report);
  if (!report.quiet) watch.history.wrong(8, `not quiet after the grace: ${JSON.stringify(report.runs)}`);
}

/**
 * A newer run comes, and writes. What it takes over from is cut inside the call where the answer is there at once, and
 * otherwise with the answer to its claim.
 */
function takeover(stage: Stage): void {
  const { control, watch } = stage;
  const isMeant = (run: RunView): boolean => run.sessionKey === KEY;
  const live = liveOf(stage, isMeant);
  const isAtOnce = stage.kind !== 'asynchronous';
  const begin = (): ReturnType<Stage['control']['start']> =>
    control.start({ sessionKey: KEY, kind: 'taker', owner: OWNER }, (run) =>
      watch.during('work', run, undefined, async () => {
        stage.enlist(run);
        await run.commit(section(stage, run, 'section of the taker'));
      }),
    );
  const answer = isAtOnce
    ? watch.stopping(control, begin, ({ status }) => (status === 'started' ? live : []))
    : begin();
  const left = (): string[] => liveOf(stage, isMeant).filter((runId) => live.includes(runId));
  const leftAtOnce = left();
  void stage.settles(
    'the run that takes over',
    answer.then(async (started) => {
      const still = isAtOnce ? leftAtOnce : left();
      // Inside a call that has not told the record yet how a run ended, it waits for that.
      const waits = started.status === 'queued' && stage.kind !== 'private';
      if (started.status !== 'rejected' && !waits && still.length > 0) {
        watch.history.wrong(1, `a takeover left ${still} live`);
      }
      if (started.status === 'rejected' && started.cause !== 'draining')
        watch.history.wrong(2, `taker: ${started.cause}`);
      if (!('runId' in started)) return;
      if (!('outcome' in started)) watch.refused(started.runId);
      else watch.outcome(control, started.runId, (await started.outcome).status, 'takeover');
    }),
  );
}

/** The time of every run that is there now is over; of one that starts in this very call, the same time later. */
function timeout(stage: Stage): void {
  const { clock, watch } = stage;
  const live = stage.control.runs.list().filter((run) => run.status === 'running' && run.kind !== 'taker');
  const over = watch.stopping(
    stage.control,
    () => clock.advance(TIMEOUT_MS),
    () => [],
  );
  void stage.settles(
    'the time',
    over.then(async () => {
      await clock.advance(TIMEOUT_MS);
      const left = liveOf(stage, (run) => live.some(({ runId }) => runId === run.runId && run.kind !== 'child'));
      if (left.length > 0) watch.history.wrong(1, `${left} live on after their time`);
    }),
  );
}

function drain(stage: Stage): void {
  const { control, watch } = stage;
  const live = liveOf(stage, () => true);
  const report = cutsAtOnce(
    stage,
    () => true,
    () =>
      watch.stopping(
        control,
        () => control.drain({ graceMs: 0 }),
        () => live,
      ),
  );
  void stage.settles(
    'the drain',
    report.then(async (drained) => {
      watch.checkReport(drained);
      // Memory keeps what a drained node left as long as another one may ask for it.
      await stage.other?.drain({ graceMs: 0 });
    }),
  );
}

/** 1: what is live and meant is not live any more when the call returns. A run that begins inside it is a new one. */
function cutsAtOnce<T>(stage: Stage, isMeant: (run: RunView) => boolean, stop: () => T): T {
  const live = liveOf(stage, isMeant);
  const answer = stop();
  stage.watch.tryAll();
  const left = liveOf(stage, isMeant).filter((runId) => live.includes(runId));
  if (left.length > 0) stage.watch.history.wrong(1, `the call returned, and ${left} are live`);
  return answer;
}

/** Stops that come from another control on the same records. */
export const ELSEWHERE: readonly string[] = ['another node', 'a takeover elsewhere'];

/** What the receipt of the other node names is aborted for everybody, and its report is this node's own. */
function abortElsewhere(stage: Stage): void {
  const { control, watch, other } = stage;
  if (other === undefined) return;
  const answer = other.abort({ sessionKey: KEY });
  void stage.settles(
    'the stop of the other node',
    answer.then(async (receipt) => {
      for (const runId of receipt.runIds) watch.outcome(control, runId, 'aborted', 'the receipt of the other node');
      const report = await stage.settles('the report elsewhere', receipt.whenQuiet());
      for (const { runId, state } of report.runs) {
        // A claim that was given up on its way is ended without a report: nothing has run.
        const hasRun = watch.history.all('run:started').some(({ run }) => run.runId === runId);
        if (state !== 'quiet' && hasRun) watch.history.wrong(8, `the other node says that ${runId} is ${state}`);
        const seen = await stage.settles('the wait elsewhere', other.wait(runId));
        if (seen.status !== 'unknown') watch.outcome(control, runId, seen.status, 'the wait of the other node');
      }
    }),
  );
}

/** A run of the other node comes, and writes. */
function takeOverElsewhere(stage: Stage): void {
  const { watch, other } = stage;
  if (other === undefined) return;
  stage.expectLate();
  const answer = other.start({ sessionKey: KEY, kind: 'taker', owner: OWNER }, (run) =>
    watch.during('work', run, undefined, async () => {
      stage.enlist(run);
      await run.commit(section(stage, run, 'section of the taker'));
    }),
  );
  void stage.settles(
    'the run of the other node',
    answer.then(async (started) => {
      if (started.status === 'rejected' && started.cause !== 'draining') {
        watch.history.wrong(2, `the taker elsewhere: ${started.cause}`);
      }
      if (!('runId' in started)) return;
      if (!('outcome' in started)) watch.refused(started.runId);
      else watch.outcome(other, started.runId, (await started.outcome).status, 'the other node');
    }),
  );
}

function liveOf({ control }: Stage, isMeant: (run: RunView) => boolean): string[] {
  const live = control.runs.list().filter((run) => run.status === 'running' || run.status === 'queued');
  return live.filter(isMeant).map(({ runId }) => runId);
}
