import type { Ended, Saved } from './orders.js';
import { type Lane, text } from './round.js';
import { LATEST_MS } from './rounds.js';
import { now, pause, type Server } from './server.js';

/** A next begin, and what is asked of a dead process's run, is answered within so many ms. */
const BOUND_MS = 6_000;

/**
 * One process is killed in the middle of a run of each session, about when the other stops it or takes it over. The
 * next begin in the session is let in, the run has one outcome, and its epilogue is not lost without a word.
 */
export async function deathWave(lanes: readonly Lane[], victim: Server, other: Server): Promise<void> {
  const { random } = (lanes[0] as Lane).stage;
  const beginnings = lanes.map((lane) => begin(lane, victim));
  // Mostly once all have begun; sometimes while they do.
  const begun = random.chance(0.25) ? pause(random.below(200)) : Promise.all(beginnings);
  const killing = begun.then(() => pause(random.below(LATEST_MS + 40))).then(() => victim.kill());
  await Promise.all(
    lanes.map((lane, at) => death(lane, other, beginnings[at] as (typeof beginnings)[number], killing)),
  );
  await victim.start();
}

interface Begun {
  readonly runId: string;
  /** The record surely knows that the run has an epilogue. */
  readonly isKnown: boolean;
}

/** @returns `undefined`: the process was dead before it was let in */
async function begin(lane: Lane, victim: Server): Promise<Begun | undefined> {
  const runId = lane.next();
  await pause(lane.stage.random.below(60));
  const begun = await lane.begin(victim, runId).catch(() => undefined);
  if (begun?.status !== 'started') return undefined;
  // What the record was told of before a commit of the run, it knows: that there is an epilogue.
  const isKnown = lane.stage.random.chance(0.6) && (await lane.commit(victim, runId));
  // Some are in the middle of a commit, or stopped there.
  if (lane.stage.random.chance(0.3)) void lane.commit(victim, runId);
  return { runId, isKnown };
}

async function death(
  lane: Lane,
  other: Server,
  beginning: Promise<Begun | undefined>,
  killing: Promise<void>,
): Promise<void> {
  const { witness, random } = lane.stage;
  const way = random.next();
  const begun = await beginning;
  if (begun === undefined) {
    witness.count('void');
    return;
  }
  const { runId } = begun;
  const nextId = lane.next();
  witness.count('deaths');
  await pause(random.below(LATEST_MS));
  try {
    const receipt = `stop of ${runId}`;
    const isStop = way < 0.4;
    if (isStop) await other.ask({ order: 'stop', id: receipt, selector: { sessionKey: lane.session }, options: {} });
    // Otherwise taken over: at once, or once its process is dead.
    if (way >= 0.7) await killing;
    await next(lane, other, nextId);
    await killing;
    const first = await other.ask({ order: 'wait', runId, ms: BOUND_MS });
    const again = await lane.begin(other, runId);
    await judge(lane, other, { ...begun, nextId, first, again: again.first, receipt: isStop ? receipt : undefined });
    if (again.status === 'started') await other.ask({ order: 'complete', runId });
    await other.ask({ order: 'complete', runId: nextId });
    await other.ask({ order: 'forget', runIds: [runId, nextId] });
  } catch (error) {
    witness.fault('stuck', `${runId}, whose process died: ${text(error)}`);
  }
}

async function next(lane: Lane, other: Server, nextId: string): Promise<void> {
  const { witness } = lane.stage;
  const from = now();
  const began = await lane.begin(other, nextId);
  if (began.status !== 'started') {
    witness.fault('stuck', `${nextId} after a death: ${began.status} (${began.why})`);
    return;
  }
  await other.ask({ order: 'commit', session: lane.session, runId: nextId });
  const took = now() - from;
  if (took > BOUND_MS) witness.fault('stuck', `${nextId} began and committed after a death in ${Math.round(took)} ms`);
}

async function judge(
  lane: Lane,
  other: Server,
  death: {
    readonly runId: string;
    readonly isKnown: boolean;
    readonly nextId: string;
    readonly first: Ended;
    readonly again: Ended | undefined;
    readonly receipt: string | undefined;
  },
): Promise<void> {
  const { witness } = lane.stage;
  const { runId, isKnown, nextId, first, again, receipt } = death;
  if (first.status !== 'aborted') {
    // It may have ended before it died.
    if (first.status !== 'completed') witness.fault('stuck', `${runId}, whose process died, is ${first.status}`);
    return;
  }
  if (again !== undefined) witness.agree(runId, { wait: first, again });
  if (first.reason === 'heartbeat-lost') witness.count('heartbeat-lost');
  else witness.count('hit');
  const saved = { order: 'saved', runId, ms: BOUND_MS } as const;
  const inReceipt: Saved | undefined = receipt === undefined ? undefined : await other.ask({ ...saved, receipt });
  // A receipt names what its stop has stopped: the run may have died before.
  const said: Saved = inReceipt?.state === undefined ? await other.ask(saved) : inReceipt;
  // Nobody but the dead knew of it, if it was stopped in the round trip that the announcement takes.
  const isUnknown = !isKnown && said.state === 'unreported' && said.epilogue === 'none';
  const isLost = first.reason === 'heartbeat-lost' || isUnknown;
  witness.epilogue({ session: lane.session, runId, said: isLost ? 'lost' : said.epilogue, successors: [nextId] });
}
