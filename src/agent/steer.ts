import type { Principal, ReadOptions, SessionKey } from '../index.js';
import { sessionKeyOf } from '../index.js';
import { randomRunId, runIdOf, scopedId } from './ids.js';
import type { LiveTurn, Words } from './live-turn.js';
import type { Request } from './options.js';
import type { SteerResult } from './results.js';
import type { RunnerContext } from './runner-context.js';
import { startTurn } from './send.js';
import { offer, steerable } from './steering.js';

/** Which turn is steered: that of a run, or the newest of a session. */
export type SteerTarget =
  | string
  | {
      /** The session, whose newest turn is steered. */
      readonly sessionKey: SessionKey;
    };

const STALE: SteerResult = Object.freeze({ status: 'stale' });

/** Says something to a turn that is under way. What it refuses at its last step is enqueued, once. */
export async function steer(
  context: RunnerContext,
  target: SteerTarget,
  { messages, messageId }: Words,
  by: ReadOptions,
): Promise<SteerResult> {
  const sessionKey = typeof target === 'string' ? undefined : sessionKeyOf(target.sessionKey);
  const turns = sessionKey === undefined ? named(context, target as string, by) : steerable(context, sessionKey, by);
  const requester = principalOf(by);
  if (sessionKey !== undefined && messageId !== undefined) {
    const taken = context.taken.get(sessionKey, scopedId(messageId, requester));
    if (taken !== undefined) return { status: taken.status, runId: taken.runId };
  }
  for (const turn of turns) {
    const owner = requester ?? turn.options.owner;
    const words = { messages, messageId: messageId === undefined ? undefined : scopedId(messageId, owner) };
    const result = await put(context, turn, words, owner);
    if (result !== undefined) return result;
  }
  return STALE;
}

async function put(
  context: RunnerContext,
  turn: LiveTurn,
  words: Words,
  owner: Principal | undefined,
): Promise<SteerResult | undefined> {
  const { runId, sessionKey } = turn;
  const taken = context.taken.get(sessionKey, words.messageId);
  if (taken !== undefined) return { status: taken.status, runId: taken.runId };
  const offered = offer(context, turn, words);
  if (offered !== 'refused') {
    context.taken.add(sessionKey, words.messageId, { runId, status: offered });
    return { status: offered, runId };
  }
  if (!isUnderWay(context, turn) || !turn.isStored) return undefined;
  // Noted in this tick: a repetition that comes while it is admitted is the same message.
  const request = followUp(turn, words, owner, false);
  context.taken.add(sessionKey, words.messageId, { runId: request.runId, status: 'enqueued' });
  const result = await startTurn(context, request);
  return result.status === 'rejected' ? STALE : { status: 'enqueued', runId: request.runId };
}

/** The turn of a run that somebody may steer. */
function named({ control, turns }: RunnerContext, runId: string, by: ReadOptions): LiveTurn[] {
  const view = control.runs.get(runId);
  const turn = turns.get(runId);
  return view !== undefined && turn !== undefined && control.may('steer', view, by) ? [turn] : [];
}

function isUnderWay({ control }: RunnerContext, { run, runId }: LiveTurn): boolean {
  return run === undefined ? control.runs.get(runId)?.status === 'queued' : run.isCurrent();
}

/** A turn of its own for words that another one did not take. */
function followUp(
  { sessionKey, kind }: LiveTurn,
  words: Words,
  owner: Principal | undefined,
  isPromised: boolean,
): Request {
  const { messages, messageId } = words;
  return {
    options: { sessionKey, kind, messages, ...(owner === undefined ? {} : { owner }) },
    sessionKey,
    runId: messageId === undefined ? randomRunId() : runIdOf(sessionKey, messageId),
    owner,
    words,
    whenBusy: 'enqueue',
    replace: undefined,
    brought: undefined,
    isPromised,
    whenUnwatched: undefined,
  };
}

/** Words that were kept for a turn that does not take them after all: the next turn of the session has them. */
export function enqueue(context: RunnerContext, turn: LiveTurn, words: Words): void {
  startTurn(context, followUp(turn, words, turn.options.owner, true)).catch((error) => context.onError(error, turn));
}

function principalOf({ requester }: ReadOptions): Principal | undefined {
  return typeof requester === 'object' ? requester : undefined;
}
