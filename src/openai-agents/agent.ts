import type { Agent, ToolEffect } from '../agent/index.js';
import { type Run, RunfenceError } from '../index.js';
import { closeItems } from './items.js';
import { FORMAT, fromNeutral, toNeutral } from './messages.js';
import type { AgentsAgent, AgentsItem, AgentsRunner } from './sdk.js';
import { OpenAIAgentsTurn } from './turn.js';

/** What an agent is made of. */
export interface OpenAIAgentsOptions {
  /** `new Agent({ … })` of the package: the one that a turn begins with. */
  readonly agent: AgentsAgent;
  /** `new Runner({ … })` of the package, with its model provider and its tracing. Its sessions are not used: the history is the runner's. */
  readonly runner: AgentsRunner;
  /** Makes the context that tools and guardrails get, from the run: for `run.child`, `run.attach`, `spawn(run, …)`. */
  readonly context?: (run: Run) => unknown;
  /** How many requests a message of the user may take; 20 by default. Then the turn ends with `max-steps`. */
  readonly maxTurns?: number;
  /** What may happen if a tool is called twice, by its name. A tool that is not there is `unsafe`. */
  readonly effects?: Readonly<Record<string, ToolEffect>>;
}

const NAMES: readonly string[] = ['agent', 'runner', 'context', 'maxTurns', 'effects'];
const EFFECTS: readonly unknown[] = ['read', 'idempotent', 'unsafe'];

/**
 * Makes an agent of the package `@openai/agents`, for `createAgentRunner`. Each turn runs on a copy of it, whose tools, those
 * of its handoffs too, start only while the run is current. `needsApproval` asks through the runner, and a word that steers
 * is read before the next request.
 *
 * @param options - the agent, and what runs it
 * @returns the agent; one serves any number of sessions
 * @throws `INVALID_OPTIONS`
 */
export function openaiAgentsAgent(options: OpenAIAgentsOptions): Agent<AgentsItem> {
  check(options);
  return {
    format: FORMAT,
    from: fromNeutral,
    to: toNeutral,
    close: closeItems,
    turn: (run, input) => new OpenAIAgentsTurn(options, run, input),
  };
}

function check(options: OpenAIAgentsOptions): void {
  const { agent, runner, context, maxTurns = 20, effects = {} } = options;
  const unknown = Object.keys(options).find((key) => !NAMES.includes(key));
  if (unknown !== undefined) throw invalid(`openaiAgentsAgent has no option "${unknown}": use ${NAMES.join(', ')}.`);
  if (typeof agent?.getAllTools !== 'function') throw invalid('agent must be an Agent of @openai/agents.');
  if (typeof runner?.run !== 'function') throw invalid('runner must be a Runner of @openai/agents.');
  if (context !== undefined && typeof context !== 'function') throw invalid('context must be a function of the run.');
  if (!Number.isSafeInteger(maxTurns) || maxTurns < 1) throw invalid('maxTurns must be a whole number from 1.');
  const wrong = Object.keys(effects).find((name) => !EFFECTS.includes(effects[name]));
  if (wrong !== undefined) throw invalid(`The effect of tool "${wrong}" must be one of ${EFFECTS.join(', ')}.`);
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
