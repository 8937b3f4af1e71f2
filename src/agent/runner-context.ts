import type { RunControl } from '../index.js';
import type { RunStreams } from '../streams/index.js';
import type { Agent } from './agent.js';
import type { Approvals } from './approvals.js';
import type { AgentEvent } from './event.js';
import type { History } from './history.js';
import type { LiveTurn, Words } from './live-turn.js';
import type { SendOptions } from './options.js';
import type { SessionBook } from './session-book.js';
import type { TakenMessages } from './taken-messages.js';

/** What the rooms of one runner have in common. */
export interface RunnerContext {
  readonly control: RunControl;
  readonly agent: Agent<unknown>;
  /** Agents whose form the history may have too, by format. */
  readonly formats: ReadonlyMap<string, Pick<Agent<unknown>, 'to'>>;
  readonly history: History;
  /** Who gives out the tokens that writes are made under. */
  readonly issuer: string;
  readonly streams: RunStreams<AgentEvent>;
  readonly book: SessionBook;
  readonly approvals: Approvals;
  readonly taken: TakenMessages;
  /** The turns of this runner that are under way, or known by their run, by run. */
  readonly turns: Map<string, LiveTurn>;
  /** Words that a turn does not take any more: they are the next turn of the session. */
  readonly enqueue: (turn: LiveTurn, words: Words) => void;
  readonly onError: (error: unknown, turn?: LiveTurn) => void;
  readonly fingerprint: (options: SendOptions) => string;
  /** What the stream says of an error. */
  readonly describeError: (error: unknown) => string;
}
