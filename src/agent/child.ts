import {
  type AbortReason,
  type ChildOptions,
  type Run,
  RunfenceError,
  type SessionKey,
  sessionKeyOf,
} from '../index.js';
import type { Finish } from './event.js';
import { randomRunId } from './ids.js';
import { LiveTurn } from './live-turn.js';
import type { Message } from './message.js';
import { checkNames, readMessages } from './options.js';
import type { RunnerContext } from './runner-context.js';
import { afterwards, enter, saveOf } from './send.js';
import { textOf } from './text.js';
import { work } from './work.js';

/** What a child is, and what it is told. */
export interface ChildSend extends Pick<ChildOptions, 'tags' | 'data' | 'timeoutMs' | 'graceMs' | 'kind'> {
  /** What it is told: a text, or messages. */
  readonly messages: string | readonly Message[];
  /**
   * A session of its own, in which it remembers; its turns there wait for each other. Left out, it runs in its parent's
   * session, and nothing of it is kept.
   */
  readonly sessionKey?: SessionKey | undefined;
  /** Hears the child's run id, before its work begins: to show its events, or to stop it alone. */
  readonly started?: ((runId: string) => void) | undefined;
}

/** How a child ended. */
export interface ChildResult {
  /** `completed` by itself, or `aborted`: it was stopped, and its parent goes on. */
  readonly status: 'completed' | 'aborted';
  /** Its run. */
  readonly runId: string;
  /** What it has said, as far as it came. */
  readonly text: string;
  /** The same as messages, with its calls. */
  readonly messages: readonly Message[];
  /** How its turn ended, if by itself. */
  readonly finish?: Finish;
  /** Why it was aborted. */
  readonly reason?: AbortReason;
}

const CHILD: readonly string[] = ['messages', 'sessionKey', 'started', 'tags', 'data', 'timeoutMs', 'graceMs', 'kind'];

/** Runs the agent as a child of a run. It settles at the cut: what a stopped child still does wakes nobody. */
export async function runChild(context: RunnerContext, parent: Run, options: ChildSend): Promise<ChildResult> {
  checkNames('child options', options, CHILD);
  const { sessionKey: own, started, messages, ...rest } = options;
  const words = { messages: readMessages(messages, true), messageId: undefined };
  const runId = randomRunId();
  const turn = new LiveTurn({
    runId,
    sessionKey: own === undefined ? parent.sessionKey : sessionKeyOf(own),
    owner: parent.owner,
    kind: options.kind ?? parent.kind,
    words,
    replace: undefined,
    brought: own === undefined ? [] : undefined,
    collects: false,
  });
  const leave = enter(context, turn);
  try {
    const result = await parent.child<Finish>(
      {
        ...rest,
        runId,
        ...(own === undefined ? {} : { sessionKey: own, whenBusy: 'enqueue' as const, save: saveOf(context, turn) }),
      },
      (run) => {
        started?.(runId);
        return work(context, turn, run);
      },
    );
    if (result.status === 'completed') return { status: 'completed', ...said(context, turn), finish: result.value };
    if (result.status !== 'aborted') throw refused(result.status === 'rejected' ? result.cause : result.status);
    afterwards(context, turn, result);
    return { status: 'aborted', ...said(context, turn), reason: result.reason };
  } catch (error) {
    if (turn.run === undefined) leave();
    else afterwards(context, turn, { status: 'failed' });
    throw error;
  }
}

function said({ agent, onError }: RunnerContext, turn: LiveTurn): Pick<ChildResult, 'runId' | 'text' | 'messages'> {
  const { runId, end } = turn;
  try {
    const cut = end?.reason === undefined ? undefined : { reason: end.reason };
    const messages = turn.turn === undefined ? [] : agent.to(turn.turn.snapshot(cut));
    const spoken = messages.filter(({ role }) => role === 'assistant').map(textOf);
    return { runId, messages, text: spoken.filter((text) => text !== '').join('\n\n') };
  } catch (error) {
    onError(error, turn);
    return { runId, messages: [], text: '' };
  }
}

function refused(why: string): RunfenceError {
  return new RunfenceError('RUN_FAILED', `The child did not start: ${why}.`);
}
