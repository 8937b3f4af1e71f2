import { flush, type RandomFaults } from 'runfence/testing';
import { type Cast, SESSIONS } from './cast.js';
import { giveUp, recordOf } from './closed.js';

/** Past every grace, bound and retention. */
const ALL_MS = 400_000;

/** All faults end, and so does every run; then everything is checked. */
export async function end(cast: Cast, faults: Partial<RandomFaults>): Promise<void> {
  const { nodes, clock, watch } = cast.world;
  cast.isOver = true;
  // A notice that was lost shows at the next gap; what was not answered needs none.
  const isQuiet = faults.lostNotices === undefined && cast.random.chance(0.5);
  for (const { backend } of nodes) {
    if (backend === undefined) continue;
    if (isQuiet) backend.mend();
    else backend.heal();
  }
  await flush();
  await clock.advance(30_000);
  for (const run of cast.runs.keys()) run.complete();
  const given = giveUp(cast);
  await clock.advance(30_000);
  for (const { control } of nodes) {
    for (const { runId } of control.runs.list()) cast.wrong.push(`${runId} is not over`);
  }
  await takeOverOnce(cast);
  say(cast, watch.checkSettled(), given);
  for (const name of cast.pending.names) cast.wrong.push(`still waits: ${name}`);
  expectAuthorised(cast);
  await clock.advance(ALL_MS);
  const drained = Promise.all(nodes.map(({ control }) => control.drain({ graceMs: 0 })));
  cast.note('drain', drained);
  await clock.advance(10_000);
  say(cast, watch.check(), given);
  say(cast, watch.checkNothingLeft(), given);
  for (const name of cast.pending.names) cast.wrong.push(`still waits after all: ${name}`);
  await watch.close();
}

/** A grant that its node takes for valid is the one that the backend has given. */
export function expectHeld({ grants, world, wrong }: Cast): void {
  if (world.state === undefined) return;
  for (const grant of grants) {
    if (!grant.isHeld()) continue;
    const { holder } = recordOf(world.state, grant.sessionKey);
    if (holder?.token !== grant.token) wrong.push(`${grant.token} is held, and the backend says ${holder?.token}`);
  }
}

/** Whatever was lost on the way: a healthy node can take every session over. */
async function takeOverOnce(cast: Cast): Promise<void> {
  const { nodes, clock } = cast.world;
  for (const { control } of nodes) {
    for (const sessionKey of SESSIONS) {
      const begun = control.runs.begin({ sessionKey, startWhen: 'quiet' });
      cast.note(`the last takeover of ${sessionKey}`, begun);
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
      if (over !== 'started') cast.wrong.push(`${sessionKey} cannot be taken over: ${over}`);
    }
  }
  await clock.advance(1_000);
}

/** Nobody was stopped, or taken over from, by a stranger. */
function expectAuthorised(cast: Cast): void {
  const { history } = cast.world.watch;
  for (const { run } of history.all('run:started')) cast.owns(run.runId, run.owner);
  for (const { run, requester, supersededBy } of history.all('run:aborted')) {
    const asked = typeof requester === 'object' ? [requester.userId] : [];
    const by = supersededBy === undefined ? asked : cast.ownersOf(supersededBy);
    if (by.length > 0 && by.every((userId) => userId !== undefined && userId !== run.owner?.userId)) {
      cast.wrong.push(`${by} stopped ${run.runId} of ${run.owner?.userId}`);
    }
  }
}

function say(
  cast: Cast,
  violations: readonly { readonly invariant: number; readonly text: string }[],
  given: ReadonlySet<number>,
): void {
  for (const { invariant, text } of violations) {
    if (!isRequestLost(cast, text) && !isOfClosed(text, given)) cast.wrong.push(`invariant ${invariant}: ${text}`);
  }
}

/** The node has done what it could: its request to forget was lost, or the answer with the number. It expires in a backend. */
function isRequestLost({ world, closed }: Cast, text: string): boolean {
  const backends = world.nodes.flatMap(({ backend }) => backend ?? []);
  const [, stop] = /^the stop (\d+) of (?:\w+ in the|the whole) backend$/.exec(text) ?? [];
  if (stop !== undefined) {
    const isTold = backends.some(({ toldStops }) => toldStops.has(Number(stop)));
    return !isTold || backends.some(({ forgotten }) => forgotten.has(`stop ${stop}`));
  }
  const [, run] = /^the run (\S+) in the backend, (?:completed|failed|aborted)$/.exec(text) ?? [];
  if (run === undefined) return false;
  // An end that hung until its node was drained: nobody is left to forget what it keeps.
  const claim = world.watch.history.all('claimed').find(({ runId }) => runId === run);
  const isOfClosed = [...closed.keys()].some(({ control }) => control.aborts.runtime.nodeId === claim?.nodeId);
  return isOfClosed || backends.some(({ forgotten }) => forgotten.has(`run ${run}`));
}

/** Held until the backend gave its node up. */
function isOfClosed(text: string, given: ReadonlySet<number>): boolean {
  const [, token] = /^the grant (\d+) of \S+ was held/.exec(text) ?? [];
  return token !== undefined && given.has(Number(token));
}
