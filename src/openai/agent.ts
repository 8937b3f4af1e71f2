import type { Agent } from '../agent/index.js';
import { RunfenceError } from '../index.js';
import type { OpenAIClient, OpenAIMessage } from './client.js';
import { closeHistory } from './close.js';
import { FORMAT, fromNeutral, toNeutral } from './messages.js';
import type { OpenAITool } from './tool.js';
import { OpenAITurn } from './turn.js';

/** What an agent is made of. */
export interface OpenAIAgentOptions {
  /** `new OpenAI()`, or a client of another provider that speaks chat completions. */
  readonly client: OpenAIClient;
  /** The model. */
  readonly model: string;
  /** What the model is told first, in every request. It is not kept in the history. */
  readonly system?: string;
  /** What the model may call. */
  readonly tools?: readonly OpenAITool[];
  /** How many requests a message of the user may take; 20 by default. Then the turn ends with `max-steps`. */
  readonly maxSteps?: number;
  /** True: the calls of one answer are made one after the other, in the model's order. By default, all at once. */
  readonly ordered?: boolean;
  /** More parameters of each request, such as `temperature` or `parallel_tool_calls`. */
  readonly request?: Readonly<Record<string, unknown>>;
}

const NAMES: readonly string[] = ['client', 'model', 'system', 'tools', 'maxSteps', 'ordered', 'request'];

/**
 * Makes an agent of a model that speaks the chat-completions protocol of OpenAI, for `createAgentRunner`. It does what a
 * loop around that API has to: it passes the signal, fences the chunks, gates the tools, takes half an answer for what it is,
 * and leaves a transcript that the next request may be made with.
 *
 * @param options - the client, the model, and what it may do
 * @returns the agent; one serves any number of sessions
 * @throws `INVALID_OPTIONS`
 */
export function openaiAgent(options: OpenAIAgentOptions): Agent<OpenAIMessage> {
  check(options);
  return {
    format: FORMAT,
    from: fromNeutral,
    to: toNeutral,
    close: closeHistory,
    turn: (run, input) => new OpenAITurn(options, run, input),
  };
}

function check(options: OpenAIAgentOptions): void {
  const { client, model, tools = [], maxSteps = 20 } = options;
  const unknown = Object.keys(options).find((key) => !NAMES.includes(key));
  if (unknown !== undefined) throw invalid(`openaiAgent has no option "${unknown}": use ${NAMES.join(', ')}.`);
  if (typeof client?.chat?.completions?.create !== 'function') throw invalid('client must be a client of openai.');
  if (typeof model !== 'string' || model === '') throw invalid('model must name a model.');
  if (!Number.isSafeInteger(maxSteps) || maxSteps < 1) throw invalid('maxSteps must be a whole number from 1.');
  const names = tools.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw invalid(`There are two tools named "${twice}".`);
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
