import { type AbortReason, HOST, isRunfenceError, RunfenceError } from '../index.js';
import { inOwnForm, messagesOf } from './formats.js';
import type { TurnRecord } from './history.js';
import type { LiveTurn, Opened, Words } from './live-turn.js';
import type { Message } from './message.js';
import type { RunnerContext } from './runner-context.js';
import { hasToolResults, onlyAnswers } from './tool-results.js';

/** What a turn comes to, once its session's history is known. */
export type Plan =
  | ({ readonly kind: 'open'; readonly history: readonly unknown[]; readonly own: TurnRecord | undefined } & Opened)
  /** It was there before, and is not repeated: what was recorded stays. `rest` has joined it since, and is new. */
  | { readonly kind: 'repeated'; readonly record: TurnRecord; readonly rest: readonly Words[] };

/**
 * Decides what a turn starts from. Pure: the same again for the same history.
 *
 * @throws `HISTORY_FORBIDDEN`, `HISTORY_INVALID`, `TURN_UNKNOWN`, `INVALID_OPTIONS`
 */
export function planOf(context: RunnerContext, turn: LiveTurn, records: readonly TurnRecord[]): Plan {
  checkReadable(context, turn, records);
  const own = records.find(({ runId }) => runId === turn.runId);
  const takers = records.filter((record) => record !== own);
  const isNew = (words: Words): boolean => !takers.some((record) => hasTaken(record, words));
  const fresh = turn.words.filter(isNew);
  if (own !== undefined && !mayRepeat(own)) {
    return {
      kind: 'repeated',
      record: own,
      rest: fresh.filter((words) => words !== turn.words[0] && !hasTaken(own, words)),
    };
  }
  const taker =
    fresh.length > 0 ? undefined : takers.find((record) => turn.words.some((words) => hasTaken(record, words)));
  if (taker !== undefined) return { kind: 'repeated', record: taker, rest: [] };
  const others = records.filter((record) => record !== own && record.order < turn.order);
  const { replace } = turn.options;
  const replaced = replace === undefined ? [] : replacedBy(replace, others);
  if (replace !== undefined && replaced.length === 0 && own === undefined) throw unknownTurn();
  const stays = others.filter((record) => !replaced.includes(record));
  const incoming = incomingOf(context, turn, { own, replaced, fresh, last: stays.at(-1) });
  const history = stays.flatMap((record) => messagesOf(context, record));
  const replaces = replaced.map(({ runId }) => runId);
  return { kind: 'open', history, incoming, replaces, own, messageIds: own?.messageIds ?? [] };
}

/** The model says what the history has: a run must not read turns that its owner may not. */
function checkReadable({ control }: RunnerContext, { options }: LiveTurn, records: readonly TurnRecord[]): void {
  const { sessionKey, owner } = options;
  const requester = owner ?? HOST;
  if (records.every((one) => control.may('read', { sessionKey, ...one }, { requester }))) return;
  throw new RunfenceError(
    'HISTORY_FORBIDDEN',
    'The session has turns of somebody whose runs this owner may not read. Put the user into the session key, or let ' +
      '`authorize` allow "read" to all who share the session.',
  );
}

/** Nobody wanted it to end, and it did nothing that must not be done twice. */
function mayRepeat({ state, reason, unsafe }: TurnRecord): boolean {
  return unsafe !== true && (state === 'open' || (state === 'cut' && isLost(reason)));
}

export function isLost(reason: AbortReason | undefined): boolean {
  return reason === 'disconnect' || reason === 'lock-lost' || reason === 'heartbeat-lost';
}

function hasTaken({ messageIds }: TurnRecord, { messageId }: Words): boolean {
  return messageId !== undefined && messageIds?.includes(messageId) === true;
}

/** The turn, and everything behind it, which was said on top of it. */
function replacedBy(runId: string, others: readonly TurnRecord[]): readonly TurnRecord[] {
  const at = others.findIndex((record) => record.runId === runId);
  return at < 0 ? [] : others.slice(at);
}

interface Found {
  readonly own: TurnRecord | undefined;
  readonly replaced: readonly TurnRecord[];
  /** What no other turn has taken. */
  readonly fresh: readonly Words[];
  readonly last: TurnRecord | undefined;
}

function incomingOf(context: RunnerContext, turn: LiveTurn, { own, replaced, fresh, last }: Found): readonly unknown[] {
  // A repetition starts from all that its first attempt was told.
  const known = own === undefined ? [] : inOwnForm(context, own.format, [...own.incoming, ...(own.steered ?? [])]);
  const isNew = (words: Words): boolean => own === undefined || (words !== turn.words[0] && !hasTaken(own, words));
  const said = fresh.filter(isNew).flatMap(({ messages }) => messages);
  const counted = hasToolResults(said) ? onlyAnswers(said, lastTurn(context, last)) : said;
  const [target] = replaced;
  // To regenerate is to say the same again.
  const again = own === undefined && said.length === 0 && target !== undefined ? target : undefined;
  const repeated = again === undefined ? [] : inOwnForm(context, again.format, again.incoming);
  const incoming = [...known, ...repeated, ...(counted.length === 0 ? [] : context.agent.from(counted))];
  if (incoming.length > 0) return incoming;
  if (said.length > 0) throw invalid('None of the tool results answers an open call of the last turn.');
  throw unknownTurn();
}

/** What somebody asked for is not the session's: the words are not kept. */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.some((code) => isRunfenceError(error, code));
}

const REFUSALS = ['HISTORY_FORBIDDEN', 'TURN_UNKNOWN', 'INVALID_OPTIONS'] as const;

function unknownTurn(): RunfenceError {
  return new RunfenceError('TURN_UNKNOWN', 'The session has no such turn to replace: load its messages again.');
}

function lastTurn(context: RunnerContext, last: TurnRecord | undefined): readonly Message[] {
  return last === undefined ? [] : context.agent.to(messagesOf(context, last));
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
