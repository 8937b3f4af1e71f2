import {
  HOST,
  type Principal,
  type ReadOptions,
  type RunControl,
  RunfenceError,
  type RunOptions,
  sessionKeyOf,
} from '../index.js';
import type { RunStreamsOptions } from '../streams/index.js';
import type { Agent } from './agent.js';
import type { AgentEvent } from './event.js';
import type { History } from './history.js';
import { randomRunId, runIdOf, scopedId } from './ids.js';
import { frozenCopy } from './json.js';
import type { Words } from './live-turn.js';
import type { Message } from './message.js';
import { checkUnwatched, type Unwatched } from './watchers.js';

/**
 * What a message does if its session is busy. `interrupt`, `enqueue`, `reject` and `concurrent` are those of a run. `steer`:
 * the turn under way takes it, and if it takes none, it waits its turn. `collect`: it waits, and what is sent meanwhile joins
 * it, in order, in one turn.
 */
export type Busy = 'interrupt' | 'enqueue' | 'reject' | 'concurrent' | 'steer' | 'collect';

/** How a message is sent. */
export interface SendOptions
  extends Pick<
    RunOptions,
    | 'sessionKey'
    | 'runId'
    | 'kind'
    | 'owner'
    | 'tags'
    | 'startWhen'
    | 'timeoutMs'
    | 'queueTimeoutMs'
    | 'graceMs'
    | 'signal'
    | 'data'
    | 'onDuplicate'
    | 'fingerprint'
  > {
  /** What is said: one text of the user, or messages. Empty only with `replace`: then the same is said again. */
  readonly messages: string | readonly Message[];
  /**
   * The client's id of the message: sent again, it is a `duplicate`, and no turn takes it twice. Without a `runId`, the run's
   * id is made of it, of the session and of its owner.
   */
  readonly messageId?: string | undefined;
  /** What it does if its session is busy; `interrupt` by default. */
  readonly whenBusy?: Busy | undefined;
  /**
   * `stored`, by default: the history of the session, to which the turn is added. Messages: a history that the client has
   * brought. Nothing of such a turn is kept.
   */
  readonly history?: 'stored' | readonly Message[] | undefined;
  /**
   * The run of a turn that this one replaces, with everything behind it: to regenerate an answer (no messages), or to edit
   * what was said. It needs `interrupt`, `enqueue` or `reject`.
   */
  readonly replace?: string | undefined;
  /** What happens to this turn when the last one who watches it leaves; as the runner's own option by default. */
  readonly whenUnwatched?: Unwatched | undefined;
}

/** How a runner is made. */
export interface AgentRunnerOptions<M> {
  /** What answers. */
  readonly agent: Agent<M>;
  /** Where turns are kept; in memory by default. */
  readonly history?: History | undefined;
  /** What a message does if its session is busy and it does not say; `interrupt` by default. */
  readonly whenBusy?: Busy | undefined;
  /**
   * What happens to a turn when the last one who watches its events leaves: it continues, by default; it is stopped as
   * `disconnect`; or it is stopped after `graceMs` ms without anybody. A turn that nobody has watched yet goes on.
   */
  readonly whenUnwatched?: Unwatched | undefined;
  /**
   * A digest of what is sent: the same id with another one is a `RUN_ID_CONFLICT`. By default it is of the messages and of
   * what they replace.
   */
  readonly fingerprint?: ((send: SendOptions) => string) | undefined;
  /** Other agents, whose turns the history may have as well: their messages are converted. */
  readonly formats?: readonly Pick<Agent<never>, 'format' | 'to'>[] | undefined;
  /** The bounds of the record of what turns say. */
  readonly streams?: Omit<RunStreamsOptions<AgentEvent>, 'merge'> | undefined;
  /** What the event `error` tells those who watch: by default nothing of the error, which may name secrets. */
  readonly describeError?: ((error: unknown) => string) | undefined;
  /** Receives errors that have no caller, such as a history that does not save; by default the control's `onError` does. */
  readonly onError?: RunControl['onError'] | undefined;
}

/** A send, checked and copied. */
export interface Request {
  readonly options: SendOptions;
  readonly sessionKey: string;
  readonly runId: string;
  readonly owner: Principal | undefined;
  readonly words: Words;
  readonly whenBusy: Busy;
  readonly replace: string | undefined;
  readonly brought: readonly Message[] | undefined;
  /** Somebody was told already that it is taken: it is kept, also if no turn of it is let in. */
  readonly isPromised: boolean;
  readonly whenUnwatched: Unwatched | undefined;
}

const BUSY: readonly Busy[] = ['interrupt', 'enqueue', 'reject', 'concurrent', 'steer', 'collect'];
const SEND: readonly string[] = [
  'sessionKey',
  'runId',
  'kind',
  'owner',
  'tags',
  'startWhen',
  'timeoutMs',
  'queueTimeoutMs',
  'graceMs',
  'signal',
  'data',
  'onDuplicate',
  'fingerprint',
  'messages',
  'messageId',
  'whenBusy',
  'history',
  'replace',
  'whenUnwatched',
];
const BY: readonly string[] = ['requester', 'messageId'];
const ROLES: readonly unknown[] = ['system', 'user', 'assistant', 'tool'];
const PARTS: readonly unknown[] = ['text', 'file', 'tool-call', 'tool-result'];

export function readSend(options: SendOptions, fallback: Busy): Request {
  checkNames('send options', options, SEND);
  const { messageId, whenBusy = fallback, history = 'stored', replace } = options;
  checkBusy(whenBusy);
  checkId('messageId', messageId);
  checkId('replace', replace);
  checkId('runId', options.runId);
  if (replace !== undefined && !['interrupt', 'enqueue', 'reject'].includes(whenBusy)) {
    throw invalid('replace needs whenBusy to be interrupt, enqueue or reject.');
  }
  if (history !== 'stored' && !Array.isArray(history))
    throw invalid('history must be stored, or an array of messages.');
  if (replace !== undefined && history !== 'stored') throw invalid('replace is for a stored history.');
  const sessionKey = sessionKeyOf(options.sessionKey);
  const owner = options.owner === HOST ? undefined : (options.owner as Principal | undefined);
  const scoped = messageId === undefined ? undefined : scopedId(messageId, owner);
  return {
    options,
    sessionKey,
    runId: options.runId ?? (scoped === undefined ? randomRunId() : runIdOf(sessionKey, scoped)),
    owner,
    words: { messages: readMessages(options.messages, replace === undefined), messageId: scoped },
    whenBusy,
    replace,
    brought: history === 'stored' ? undefined : readMessages(history, false),
    isPromised: false,
    whenUnwatched: options.whenUnwatched === undefined ? undefined : checkUnwatched(options.whenUnwatched),
  };
}

/** Copied, so that nobody changes them later. A text is a message of the user. */
export function readMessages(given: unknown, isNeeded: boolean): readonly Message[] {
  const messages = typeof given === 'string' ? (given === '' ? [] : [{ role: 'user', content: given }]) : given;
  if (!Array.isArray(messages)) throw invalid('messages must be a text, or an array of messages.');
  if (isNeeded && messages.length === 0) throw invalid('messages must not be empty.');
  for (const message of messages) {
    const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
    if (!ROLES.includes(role)) throw invalid('A message needs a role: system, user, assistant or tool.');
    const isContent = typeof content === 'string' || (Array.isArray(content) && content.every(isPart));
    if (!isContent) throw invalid('The content of a message must be a text, or an array of parts.');
  }
  return frozenCopy('messages', messages as Message[]);
}

function isPart(part: unknown): boolean {
  return PARTS.includes((part as { type?: unknown } | null)?.type);
}

/** Who asks, and what the message is called. */
export interface By extends ReadOptions {
  /** The client's id of the message: the same one is not taken twice. */
  readonly messageId?: string | undefined;
}

/** A requester that is present and undefined is passed on: the control refuses it. */
export function readBy(
  control: RunControl,
  options: By,
): { readonly read: ReadOptions; readonly messageId: string | undefined } {
  checkNames('options', options, BY);
  checkId('messageId', options.messageId);
  const read = 'requester' in options ? { requester: options.requester } : {};
  // Nothing has this id: it says whether the requester is one.
  control.runs.get(' ', read as ReadOptions);
  return { read: read as ReadOptions, messageId: options.messageId };
}

export function checkBusy(whenBusy: unknown): void {
  if (!BUSY.includes(whenBusy as Busy)) throw invalid(`whenBusy must be one of ${BUSY.join(', ')}.`);
}

function checkId(name: string, id: unknown): void {
  if (id === undefined) return;
  if (typeof id !== 'string' || id.trim() === '' || id.length > 1_024) {
    throw invalid(`${name} must be a non-blank string of at most 1024 characters.`);
  }
}

export function checkNames(what: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} must be an object.`);
  const name = Object.keys(value).find((one) => !known.includes(one));
  if (name !== undefined) throw invalid(`${what}: there is no "${name.slice(0, 64)}": use ${known.join(', ')}.`);
}

export function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
