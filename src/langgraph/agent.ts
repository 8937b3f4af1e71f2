import type { Agent } from '../agent/index.js';
import type { Awaitable, Run } from '../index.js';
import type { GateToolOptions } from './calls.js';
import { closeHistory } from './close.js';
import { FORMAT, fromNeutral, invalid, toNeutral } from './messages.js';
import type { LangGraphGraph, LangGraphMessage } from './sdk.js';
import { LangGraphTurn } from './turn.js';

/** What a graph is built with, for one turn. */
export interface GraphSetup {
  /** The run that the turn belongs to: for `run.child`, `run.attach`, `spawn(run, …)`. */
  readonly run: Run;
  /**
   * Puts the function of a tool behind the gate: it starts only while the run is current, its calls are published, and a
   * person is asked before it if need be. Use it inside `tool`: `tool(gate(pay, { effect: 'idempotent' }), { name: 'pay', schema })`.
   */
  readonly gate: <I, C extends object, R>(
    tool: (input: I, config: C) => Awaitable<R>,
    options?: GateToolOptions,
  ) => (input: I, config: C) => Promise<R | string>;
  /**
   * Brings in what steers the turn, before the model is asked: `createMiddleware({ name: 'steering', beforeModel })`, or a
   * node of your own in front of the model. Without it such words are read at the end of the turn.
   */
  readonly beforeModel: () =>
    | {
        /** What the user has said since the last request, as messages of LangChain. */
        messages: never[];
      }
    | undefined;
}

/** What an agent is made of. */
export interface LangGraphAgentOptions {
  /**
   * Builds the graph for a turn: `createAgent({ … })` of LangChain, or a compiled `StateGraph` whose `messages` have the
   * reducer of LangGraph. It has no checkpointer: the history is the runner's.
   */
  readonly graph: (setup: GraphSetup) => Awaitable<LangGraphGraph>;
  /** More of the config of the stream, from the run: `context`, `configurable`, `callbacks`. */
  readonly config?: (run: Run) => object;
  /** How many steps of the graph a message of the user may take, as LangGraph counts them; 100 by default. Then the turn ends with `max-steps`. */
  readonly recursionLimit?: number;
}

const NAMES: readonly string[] = ['graph', 'config', 'recursionLimit'];

/**
 * Makes an agent of a graph of LangGraph, for `createAgentRunner`. A turn passes the signal, fences the stream, takes half an
 * answer for what it is, and leaves messages that the next request may be made with. Clients' messages never get to be
 * instances of what they name: an object with the key `lc` is refused.
 *
 * @param options - how the graph is built, and what it is run with
 * @returns the agent; one serves any number of sessions
 * @throws `INVALID_OPTIONS`
 */
export function langGraphAgent(options: LangGraphAgentOptions): Agent<LangGraphMessage> {
  const { graph, config, recursionLimit = 100 } = options;
  const unknown = Object.keys(options).find((key) => !NAMES.includes(key));
  if (unknown !== undefined) throw invalid(`langGraphAgent has no option "${unknown}": use ${NAMES.join(', ')}.`);
  if (typeof graph !== 'function') throw invalid('graph must be a function that builds the graph of a turn.');
  if (config !== undefined && typeof config !== 'function') throw invalid('config must be a function of the run.');
  if (!Number.isSafeInteger(recursionLimit) || recursionLimit < 1)
    throw invalid('recursionLimit must be a whole number from 1.');
  return {
    format: FORMAT,
    from: fromNeutral,
    to: toNeutral,
    close: closeHistory,
    turn: (run, input) => new LangGraphTurn(options, run, input),
  };
}
