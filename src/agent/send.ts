import {
  type AbortReason,
  HOST,
  type Outcome,
  type ReadOptions,
  RunfenceError,
  type RunOptions,
  type Save,
  type StartResult,
} from '../index.js';
import type { Finish } from './event.js';
import { digestOf } from './json.js';
import { keep, notKept } from './keeping.js';
import { LiveTurn } from './live-turn.js';
import { invalid, type Request, type SendOptions } from './options.js';
import { isLost } from './plan.js';
import type { SendResult, Sent } from './results.js';
import type { RunnerContext } from './runner-context.js';
import { whenSaved } from './saved.js';
import { save, settled } from './saving.js';
import { joinable, offer, steerable } from './steering.js';
import { work } from './work.js';

/** Sends a message: to a turn that takes it, or to one of its own. Everything up to the backend's answer is one tick. */
export function send(context: RunnerContext, request: Request): Promise<SendResult> {
  const { control } = context;
  // Its own first attempt is what a repetition is held against.
  if (control.runs.get(request.runId) !== undefined) return startTurn(context, request);
  const taken = context.taken.get(request.sessionKey, request.words.messageId);
  if (taken !== undefined && taken.status !== 'enqueued') return Promise.resolve(steered(context, taken.runId));
  return Promise.resolve(join(context, request) ?? startTurn(context, request));
}

/** A turn that takes the message, if it asks for one. */
function join(context: RunnerContext, request: Request): Sent | undefined {
  const { sessionKey, words, whenBusy, owner, brought } = request;
  if (brought !== undefined) return undefined;
  const by: ReadOptions = { requester: owner ?? HOST };
  const steers = whenBusy === 'steer' ? steerable(context, sessionKey, by) : [];
  const waits = whenBusy === 'collect' ? joinable(context, sessionKey, by) : undefined;
  for (const turn of waits === undefined ? steers : [waits]) {
    const offered = offer(context, turn, words);
    if (offered === 'refused') continue;
    context.taken.add(sessionKey, words.messageId, { runId: turn.runId, status: offered });
    return steered(context, turn.runId);
  }
  return undefined;
}

function steered(context: RunnerContext, runId: string): Sent {
  const outcome = context.control.wait(runId).then((ended) => {
    if (ended.status !== 'unknown' && ended.status !== 'timeout') return ended as Outcome<Finish>;
    return { status: 'failed' as const, error: forgotten() };
  });
  return sent(context, 'steered', runId, outcome);
}

function forgotten(): RunfenceError {
  return new RunfenceError('RUN_FAILED', 'The run is over, and how it ended is not known any more.');
}

function sent(context: RunnerContext, status: Sent['status'], runId: string, outcome: Sent['outcome']): Sent {
  // The turn as it is now: its id may be another attempt's later.
  const turn = context.turns.get(runId);
  return {
    status,
    runId,
    outcome,
    events: (options) => context.streams.subscribe(runId, options),
    whenSaved: (options) => whenSaved(context, turn, outcome, options),
  };
}

/** A turn of its own. The run is reserved in the tick of the call. */
export function startTurn(context: RunnerContext, request: Request): Promise<SendResult> {
  const answer = admit(context, request);
  // A shutdown in the meantime waits until it is known whether there is something to keep.
  context.control.keepOpen(answer);
  return answer;
}

async function admit(context: RunnerContext, request: Request): Promise<SendResult> {
  const { control } = context;
  const { runId, sessionKey, owner, words, replace, brought, whenBusy, whenUnwatched, options } = request;
  const kind = options.kind ?? 'chat';
  const collects = whenBusy === 'collect';
  const turn = new LiveTurn({ runId, sessionKey, owner, kind, words, replace, brought, collects, whenUnwatched });
  // What the agent cannot take is refused here, and not in the middle of a run.
  if (!Array.isArray(context.agent.from(words.messages))) throw invalid('agent.from must give an array of messages.');
  const previous = context.turns.get(runId);
  const leave = enter(context, turn);
  const refused = (): void => neverStarted(context, turn, request.isPromised, leave);
  let begun: StartResult<Finish>;
  try {
    begun = await control.start(runOptions(context, request, turn, previous), (run) => work(context, turn, run));
  } catch (error) {
    refused();
    throw error;
  }
  switch (begun.status) {
    case 'started':
      turn.ending = begun.outcome;
      void begun.outcome.then((outcome) => afterwards(context, turn, outcome));
      return sent(context, 'started', runId, begun.outcome);
    case 'queued':
      turn.ending = begun.outcome;
      void begun.outcome.then((outcome) => {
        if (outcome.status === 'rejected') refused();
        else if (outcome.status === 'duplicate') neverStarted(context, turn, false, leave);
        else afterwards(context, turn, outcome);
      });
      return sent(context, 'queued', runId, begun.outcome);
    case 'aborted':
      afterwards(context, turn, begun);
      return { ...begun, whenSaved: (waiting) => whenSaved(context, turn, undefined, waiting) };
    case 'duplicate':
      neverStarted(context, turn, false, leave);
      return sent(context, 'duplicate', runId, begun.outcome);
    default:
      refused();
      return begun;
  }
}

/**
 * It is known from here on, and has its place among the sends.
 *
 * @returns takes it back: it was never a turn
 */
export function enter({ turns, book }: RunnerContext, turn: LiveTurn): () => void {
  const { runId } = turn;
  const previous = turns.get(runId);
  if (turn.isStored) book.add(turn);
  turns.set(runId, turn);
  return () => {
    book.remove(turn);
    if (turns.get(runId) !== turn) return;
    if (previous === undefined) turns.delete(runId);
    else turns.set(runId, previous);
  };
}

/** Known at the claim, so that a takeover by another node waits for it. */
export function saveOf(context: RunnerContext, turn: LiveTurn): Save {
  const { issuer } = context;
  return ({ how, reason, token, signal }) => save(context, turn, { how, reason }, { token, signal, issuer });
}

/** It turned out to be no turn. What has joined it in the meantime was taken, and is not lost with it. */
function neverStarted(context: RunnerContext, turn: LiveTurn, isPromised: boolean, leave: () => void): void {
  const joined = turn.words.slice(1);
  if (isPromised) afterwards(context, turn, { status: 'aborted', reason: 'policy' });
  else leave();
  for (const words of isPromised ? [] : joined) context.enqueue(turn, words);
}

function runOptions(
  context: RunnerContext,
  { options, runId, whenBusy }: Request,
  turn: LiveTurn,
  previous: LiveTurn | undefined,
): RunOptions {
  const { kind, tags, startWhen, timeoutMs, queueTimeoutMs, graceMs, signal, data, onDuplicate } = options;
  const isBusy = whenBusy === 'steer' || whenBusy === 'collect' ? 'enqueue' : whenBusy;
  // What is not safe to do twice is reported, and not repeated.
  const mayRetry = previous?.isUnsafe !== true || !isLost(previous.end?.reason);
  return {
    sessionKey: options.sessionKey,
    runId,
    // Present and undefined is refused by the core: it is what a user looks like whom nobody found.
    ...('owner' in options ? { owner: options.owner } : {}),
    ...{ kind, tags, startWhen, timeoutMs, queueTimeoutMs, graceMs, signal, data },
    whenBusy: isBusy,
    onDuplicate: mayRetry ? (onDuplicate ?? 'retry-lost') : 'report',
    fingerprint: options.fingerprint ?? context.fingerprint(options),
    ...(turn.isStored ? { save: saveOf(context, turn) } : {}),
  } as RunOptions;
}

/** By what is said: the owner, the session and the kind are compared by the core. */
export function contentDigest({ messages, replace, history }: SendOptions): string {
  return digestOf([messages, replace ?? null, history === undefined || history === 'stored' ? null : history]);
}

/** How a run ended, as far as that matters here. */
interface End {
  readonly status: 'completed' | 'failed' | 'aborted';
  readonly reason?: AbortReason;
}

/** What was said in a run that is over is saved, whatever became of the run. */
export function afterwards(context: RunnerContext, turn: LiveTurn, outcome: End): void {
  if (outcome.status === 'completed' || turn.saved !== 'pending') {
    if (turn.saved === 'pending') settled(context, turn, 'none');
    return;
  }
  const { status, reason } = outcome;
  turn.end ??= { how: status === 'aborted' ? 'cut' : 'failed', reason };
  // Its work was never called: nobody has saved anything.
  if (turn.run === undefined) keep(context, turn);
  const givenUp = context.book.owes(turn);
  if (givenUp !== undefined) context.onError(notKept(givenUp), givenUp);
}
