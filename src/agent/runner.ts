import { type ReadOptions, type Run, type RunControl, type RunView, type SessionKey, sessionKeyOf } from '../index.js';
import { createRunStreams, type RunStreams } from '../streams/index.js';
import type { Agent, Decision } from './agent.js';
import { type AnswerResult, Approvals } from './approvals.js';
import { type ChildResult, type ChildSend, runChild } from './child.js';
import type { AgentEvent } from './event.js';
import { keep } from './keeping.js';
import type { LiveTurn } from './live-turn.js';
import { memoryHistory } from './memory-history.js';
import type { Message } from './message.js';
import {
  type AgentRunnerOptions,
  type By,
  checkBusy,
  checkNames,
  invalid,
  readBy,
  readMessages,
  readSend,
  type SendOptions,
} from './options.js';
import { messages } from './reading.js';
import type { SendResult, SessionMessages, SteerResult } from './results.js';
import type { RunnerContext } from './runner-context.js';
import { contentDigest, send } from './send.js';
import { SessionBook } from './session-book.js';
import { enqueue, type SteerTarget, steer } from './steer.js';
import { TakenMessages } from './taken-messages.js';
import { checkUnwatched, Watchers } from './watchers.js';
import { FAILED } from './work.js';

/** Serves an agent: sessions with a history, stops, steering and approvals. */
export interface AgentRunner {
  /**
   * Sends a message to a session. It is answered at admission: the turn may wait, run or have ended by then. A stop finds
   * it from the tick of this call on.
   *
   * What is said is saved, in the order of the sends, also if its turn is stopped before it opens. Only what is rejected, or
   * what throws, is not.
   *
   * @param options - the session, its owner, the messages, and how the run starts
   * @returns the run that has the message, with its events, its outcome and `whenSaved`; `aborted` if it was over before it
   *   began; or `rejected`
   * @throws `INVALID_OPTIONS`; `RUN_ID_CONFLICT` for an id that was used for another message; `BACKEND_UNAVAILABLE`
   */
  send(options: SendOptions): Promise<SendResult>;
  /**
   * Says something to a turn that is under way: the model reads it before its next step. What a turn refuses at its last
   * step is the next turn of the session, so that nothing is lost.
   *
   * @param target - the id of its run, or a session, whose newest turn takes it
   * @param messages - a text of the user, or messages
   * @param options - `requester`: who says it, who needs the right to `steer` the run; `messageId`: the same message is
   *   taken once, also if it is sent again after the turn
   * @returns what became of it. `stale` also for a run of another node
   * @throws `INVALID_OPTIONS`
   */
  steer(target: SteerTarget, messages: string | readonly Message[], options?: By): Promise<SteerResult>;
  /**
   * Answers a question for approval, once. A stop of its run voids the question.
   *
   * @param approvalId - the id that the event `approval` has, or `messages`
   * @param decision - `approved`: whether the call may start; `note`: what the model is told beside it
   * @param options - `requester`: who answers, who needs the right to `answer` the run
   * @returns `accepted`; `stale` if there is no such question any more, or not for this requester
   * @throws `INVALID_OPTIONS`
   */
  answer(approvalId: string, decision: Decision, options?: ReadOptions): Promise<AnswerResult>;
  /**
   * What a client shows that loads a session: its messages, and what is under way.
   *
   * @param key - the session
   * @param options - `requester`: who reads; what it may not read is left out
   * @returns the messages in order, the turns that are under way here, and the questions that wait
   * @throws `HISTORY_INVALID`; what the history throws; `INVALID_OPTIONS`
   */
  messages(key: SessionKey, options?: ReadOptions): Promise<SessionMessages>;
  /**
   * Runs the agent as a child of a run, such as for a tool of another agent: `childAgent` makes one. It settles at the cut of
   * the child. What a stopped child still does wakes nobody.
   *
   * @param parent - the run that it belongs to: a stop of it stops the child
   * @param options - what the child is told, and what it is
   * @returns what it said, and whether it was stopped
   * @throws the child's own error; `RUN_FAILED` if it was not let in; `INVALID_OPTIONS`
   */
  child(parent: Run, options: ChildSend): Promise<ChildResult>;
  /** What turns say, by run: to watch it, and to resume after a reload. */
  readonly streams: RunStreams<AgentEvent>;
  /** Where its runs are: what serves the runner stops and reads them there. */
  readonly control: RunControl;
}

const OPTIONS: readonly string[] = [
  'agent',
  'history',
  'whenBusy',
  'whenUnwatched',
  'fingerprint',
  'formats',
  'streams',
  'describeError',
  'onError',
];

/**
 * Makes the runner of an agent: one for a control is usual. It gives the signal, fences what is said, reads the history and
 * appends what is said under the session's lock, saves the answer whole or cut, and keeps the history valid for the model.
 *
 * @param control - where its runs are
 * @param options - `agent`, and what has a default
 * @returns the runner
 * @throws `INVALID_OPTIONS` for an unknown name or a wrong type
 */
export function createAgentRunner<M>(control: RunControl, options: AgentRunnerOptions<M>): AgentRunner {
  const context = contextOf(control, options);
  const watchers = new Watchers(context, checkUnwatched(options.whenUnwatched ?? 'continue'));
  listen(context, watchers);
  const whenBusy = options.whenBusy ?? 'interrupt';
  return {
    streams: context.streams,
    control,
    send: async (sendOptions) => send(context, readSend(sendOptions, whenBusy)),
    steer: async (target, said, by = {}) => {
      const { read, messageId } = readBy(control, by);
      return steer(context, target, { messages: readMessages(said, true), messageId }, read);
    },
    answer: async (approvalId, decision, by = {}) => {
      const { read } = readBy(control, by);
      checkNames('decision', decision, ['approved', 'note']);
      if (typeof decision.approved !== 'boolean') throw invalid('approved must be true or false.');
      if (!['string', 'undefined'].includes(typeof decision.note)) throw invalid('note must be a text.');
      return context.approvals.answer(approvalId, decision, read);
    },
    child: (parent, childOptions) => runChild(context, parent, childOptions),
    messages: async (key, by = {}) => messages(context, sessionKeyOf(key), readBy(control, by).read),
  };
}

function contextOf<M>(control: RunControl, options: AgentRunnerOptions<M>): RunnerContext {
  checkNames('createAgentRunner options', options, OPTIONS);
  const { agent, history = memoryHistory(), formats = [], fingerprint = contentDigest } = options;
  if (options.whenBusy !== undefined) checkBusy(options.whenBusy);
  for (const name of ['from', 'to', 'close', 'turn'] as const) {
    if (typeof agent?.[name] !== 'function') throw invalid(`agent must have a function ${name}.`);
  }
  for (const name of ['read', 'write', 'remove', 'delete'] as const) {
    if (typeof history[name] !== 'function') throw invalid(`history must have a function ${name}.`);
  }
  const tell = options.onError ?? control.onError;
  const streams = createRunStreams<AgentEvent>(control, { ...options.streams, merge: MERGE });
  const context: RunnerContext = {
    control,
    agent: agent as Agent<unknown>,
    formats: new Map(formats.map((other) => [other.format, other as Pick<Agent<unknown>, 'to'>])),
    history,
    issuer: issuerOf(control),
    streams,
    book: new SessionBook(control.clock),
    approvals: new Approvals(control, streams),
    taken: new TakenMessages(control.clock),
    turns: new Map(),
    enqueue: (turn, words) => enqueue(context, turn, words),
    fingerprint,
    describeError: options.describeError ?? (() => FAILED),
    onError: (error, turn) => tell(error, { sessionKey: turn?.sessionKey, runId: turn?.runId }),
  };
  return context;
}

function issuerOf(control: RunControl): string {
  const { backend, nodeId } = control.inspect({ limit: 0 });
  return backend === undefined ? `control:${nodeId}` : 'backend';
}

/** Neighbouring deltas of one kind cost their text only. */
const MERGE = {
  key: ({ type }: AgentEvent): string | undefined => (type === 'text' || type === 'reasoning' ? type : undefined),
  text: (event: AgentEvent): string => ('text' in event ? event.text : ''),
  with: (event: AgentEvent, text: string): AgentEvent => ({ ...event, text }) as AgentEvent,
};

/** What becomes of runs is heard in the tick in which it happens. */
function listen(context: RunnerContext, watchers: Watchers): void {
  const { control, turns, approvals, book, streams } = context;
  // A run that is repeated has its id twice for a while: the generation tells them apart.
  const turnOf = ({ runId, generation, sessionKey }: RunView): LiveTurn | undefined =>
    [turns.get(runId), ...book.of(sessionKey)].find(
      (turn) => turn?.runId === runId && (turn.run?.generation ?? 0) === generation,
    );
  control.on('run:aborted', ({ run, reason }) => {
    approvals.void(run.runId, run.generation);
    const turn = turnOf(run);
    turn?.cut(reason, run.kind);
    // In this tick: a shutdown that has dropped it waits for it.
    if (turn !== undefined && run.generation === 0) keep(context, turn);
  });
  control.on('run:ended', ({ run }) => {
    approvals.void(run.runId, run.generation);
    const turn = turnOf(run);
    if (turn !== undefined) watchers.forget(turn);
  });
  streams.onWatchers(({ runId, generation, watchers: count }) => watchers.changed(runId, generation, count));
  control.on('run:forgotten', ({ run }) => {
    const turn = turnOf(run);
    if (turn !== undefined && turns.get(run.runId) === turn) turns.delete(run.runId);
  });
}
