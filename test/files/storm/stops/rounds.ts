import type { AbortOptions, Selector } from 'runfence';
import type { Began, Ended, Stopped } from './orders.js';
import { type Lane, text } from './round.js';
import { Failed, pause, type Server } from './server.js';

/** A stop comes so late, in ms after the begin of its run, at the most. */
export const LATEST_MS = 60;

interface Aim {
  readonly selector: Selector | 'all';
  readonly options: AbortOptions;
  /** It is kept for all nodes, and marks no record: a takeover may come before it is heard. */
  readonly isListed: boolean;
}

function aimOf(lane: Lane, runId: string): Aim {
  const { session, owner } = lane;
  const way = lane.stage.random.next();
  const of = (selector: Selector, options: AbortOptions = {}, isListed = false): Aim => ({
    selector,
    options,
    isListed,
  });
  if (way < 0.5) return of({ sessionKey: session });
  if (way < 0.65) return of({ runId });
  if (way < 0.8) return of({ sessionKey: session }, { requester: owner });
  if (way < 0.87) return of({ owner }, {}, true);
  if (way < 0.94) return of({ kind: `kind-${session}` }, {}, true);
  return of({ tag: `tag-${session}` }, {}, true);
}

function sides(lane: Lane): readonly [Server, Server] {
  const [first, second] = lane.stage.servers;
  return lane.stage.random.chance(0.5) ? [first, second] : [second, first];
}

/** A stop by the other process, and the next run at once after it. */
export async function stopRound(
  lane: Lane,
  all?: { readonly by: Server; readonly stopped: Promise<Stopped> },
): Promise<void> {
  const { stage, session } = lane;
  const { witness, random } = stage;
  const [a, other] = sides(lane);
  const b = all?.by ?? other;
  const [runId, nextId] = [lane.next(), lane.next()];
  const aim: Aim = all === undefined ? aimOf(lane, runId) : { selector: 'all', options: {}, isListed: true };
  const completeAfterMs = random.chance(0.3) ? random.below(LATEST_MS) : undefined;
  // Mostly once the begin is answered; sometimes while it is under way.
  const isRace = all !== undefined || random.chance(0.15);
  const wait = random.below(LATEST_MS);
  const whenBusy = random.chance(0.5) ? 'concurrent' : 'interrupt';
  const isWaiting = random.chance(0.5);

  const beginning = lane.begin(a, runId, { completeAfterMs });
  if (!isRace) await beginning;
  await pause(isRace && all === undefined ? random.below(20) : wait);
  const stopping =
    all?.stopped ?? b.ask({ order: 'stop', id: `stop of ${runId}`, selector: aim.selector, options: aim.options });
  stopping.catch(() => {});
  const began = await beginning;
  const waiting = isWaiting ? b.ask({ order: 'wait', runId, ms: 10_000 }) : undefined;
  waiting?.catch(() => {});
  const stopped = await stopping;
  const next = await lane.begin(a, nextId, { options: lane.options({ whenBusy }) });
  const committed = next.status === 'started' ? lane.commit(a, nextId) : undefined;
  witness.count('stops');

  if (began.status === 'started') {
    const isNamed = stopped.result === 'aborted' && stopped.runIds.includes(runId);
    const isBefore = began.at < stopped.calledAt && stopped.recorded !== 'unreachable';
    const early = await (isNamed || isBefore ? waiting : undefined);
    const isClean = completeAfterMs === undefined && !aim.isListed;
    const ended = await lane.judge(a, runId, began, {
      at: stopped.at,
      mustEnd: isBefore || isNamed,
      mustHaveReason: isNamed && !aim.isListed ? 'user' : undefined,
      early: early?.status === 'timeout' ? undefined : early,
      // One beside it is no successor of a run that was not stopped, or has not heard of its stop yet.
      successors: whenBusy === 'concurrent' && (aim.isListed || !(isNamed || isBefore)) ? [] : [nextId],
    });
    if (!isNamed && !isBefore) witness.count('began later');
    else if (ended !== undefined) witness.count(ended.status === 'aborted' ? 'hit' : 'completed first');
    if (ended !== undefined) await checkReceipt(lane, b, { runId, stopped, ended, isNamed, isBefore, isClean, aim });
  } else if (stage.isCalm && !(began.status === 'aborted' && isRace)) {
    witness.fault('stuck', `${runId} was refused: ${began.status} (${began.why})`);
  }
  await committed;
  const lives = await lane.mustLive(a, nextId, next, stopped);
  if (lives && whenBusy === 'interrupt') {
    const runIds = await lane.current();
    if (runIds.length > 1) witness.fault('twoCurrent', `${session}: ${runIds.join(' ')}`);
  }
  await finish(
    lane,
    [
      [a, runId],
      [a, nextId],
    ],
    lives ? nextId : undefined,
  );
}

async function checkReceipt(
  lane: Lane,
  b: Server,
  round: {
    readonly runId: string;
    readonly stopped: Stopped;
    readonly ended: Ended;
    readonly isNamed: boolean;
    readonly isBefore: boolean;
    readonly isClean: boolean;
    readonly aim: Aim;
  },
): Promise<void> {
  const { witness, isCalm } = lane.stage;
  const { runId, stopped, ended, isNamed, isBefore, isClean, aim } = round;
  const told = `${runId}: ${JSON.stringify(aim.selector)} ${stopped.result} ${stopped.recorded}, ended as ${ended.status} (${ended.reason})`;
  if (isNamed && ended.status !== 'aborted') witness.fault('receipts', told);
  // Before, and not named, though nothing but the stop ended it.
  if (isCalm && !isNamed && isBefore && isClean && ended.status === 'aborted') witness.fault('receipts', told);
  if (!isNamed || ended.status !== 'aborted') return;
  const saved = await b.ask({ order: 'saved', runId, ms: 8_000, receipt: stopped.id });
  if (isCalm && (saved.state !== 'quiet' || saved.epilogue === 'none')) {
    witness.fault('receipts', `${told}: its report is ${saved.state}, epilogue ${saved.epilogue}`);
  }
}

/** A takeover by the other process; or by both at once. */
export async function takeoverRound(lane: Lane): Promise<void> {
  const { stage, session } = lane;
  const { witness, random } = stage;
  const [a, b] = sides(lane);
  const [runId, nextId, rivalId] = [lane.next(), lane.next(), lane.next()];
  const completeAfterMs = random.chance(0.2) ? random.below(LATEST_MS) : undefined;
  const isDuel = random.chance(0.25);
  const began = await lane.begin(a, runId, { completeAfterMs });
  await pause(random.below(LATEST_MS));
  const taking = lane.begin(b, nextId);
  const rivaling = isDuel ? lane.begin(a, rivalId) : undefined;
  rivaling?.catch(() => {});
  const next = await taking;
  const committed = next.status === 'started' ? lane.commit(b, nextId) : undefined;
  const rival = await rivaling;
  const rivalCommitted = rival?.status === 'started' ? lane.commit(a, rivalId) : undefined;
  witness.count('takeovers');
  const at = Math.max(next.at, rival?.at ?? 0);
  const successors = rival === undefined ? [nextId] : [nextId, rivalId];
  if (next.status !== 'started' && stage.isCalm) witness.fault('stuck', `${nextId}: ${next.status} (${next.why})`);
  const isTaken = next.status === 'started' || rival?.status === 'started';
  if (began.status === 'started') {
    const given = { at, mustEnd: isTaken, mustHaveReason: 'superseded', early: undefined, successors };
    const ended = await lane.judge(a, runId, began, given);
    if (ended !== undefined) witness.count(ended.status === 'aborted' ? 'hit' : 'completed first');
  }
  await Promise.all([committed, rivalCommitted]);
  await lane.deadline(at);
  const winner = await lastOne(
    lane,
    [[b, nextId, next], ...(rival === undefined ? [] : [[a, rivalId, rival] as const])],
    at,
  );
  if (winner === undefined && stage.isCalm && isTaken)
    witness.fault('missed', `${session}: none of ${successors.join(' ')} is current`);
  await finish(lane, [[a, runId], [b, nextId], ...(isDuel ? [[a, rivalId] as const] : [])], undefined);
}

/** Of those that began at once, one stays. */
async function lastOne(
  lane: Lane,
  begun: readonly (readonly [Server, string, Began])[],
  at: number,
): Promise<string | undefined> {
  const { witness } = lane.stage;
  const deadline = await lane.deadline(at);
  let runIds = await lane.current();
  while (runIds.length > 1 && Number(process.hrtime.bigint()) / 1e6 < deadline + 100) {
    await pause(40);
    runIds = await lane.current();
  }
  if (runIds.length > 1) witness.fault('twoCurrent', `${lane.session}: ${runIds.join(' ')}`);
  for (const [server, id, began] of begun) {
    if (runIds.includes(id) || began.status !== 'started') continue;
    const given = { at, mustEnd: true, mustHaveReason: undefined, early: undefined, successors: [] };
    await lane.judge(server, id, began, given);
  }
  return runIds[0];
}

/** What is left is completed, and everybody hears of it. */
async function finish(
  lane: Lane,
  runs: readonly (readonly [Server, string])[],
  mustEnd: string | undefined,
): Promise<void> {
  const { witness, servers, isCalm } = lane.stage;
  for (const [server, runId] of runs) {
    const { isFirst } = await server.ask({ order: 'complete', runId });
    if (runId !== mustEnd || !isCalm) continue;
    if (!isFirst) witness.fault('hitLater', `${runId} could not complete`);
    const waits = await Promise.all(servers.map((one) => one.ask({ order: 'wait', runId, ms: 5_000 })));
    witness.agree(runId, { owner: { status: 'completed' }, wait: waits[0], wait2: waits[1] });
  }
  for (const server of servers)
    void server.ask({ order: 'forget', runIds: runs.map(([, runId]) => runId) }).catch(() => {});
}

/** A round in which a process stood still, or died, may be refused. */
export async function safely(lane: Lane, round: () => Promise<void>): Promise<void> {
  try {
    await round();
  } catch (error) {
    const { witness, isCalm } = lane.stage;
    const isExcused = error instanceof Failed && error.message !== 'STUCK' && !isCalm;
    if (isExcused) witness.count('void');
    else witness.fault('stuck', `a round of ${lane.session}: ${text(error)}`);
    await pause(100);
  }
}
