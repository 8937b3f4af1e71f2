import type { Agent, ToolEffect } from '../agent/index.js';
import { RunfenceError } from '../index.js';
import { closeHistory } from './close.js';
import { FORMAT, fromNeutral, toNeutral } from './messages.js';
import type { AiMessage, AiTools, StreamText, StreamTextOptions } from './sdk.js';
import { AiTurn, type Settings } from './turn.js';

/** What an agent is made of. */
export interface AiAgentOptions<S extends StreamText = StreamText, T extends AiTools = AiTools> {
  /** `streamText` of the `ai` package. */
  readonly streamText: S;
  /** The model, as `streamText` takes it. */
  readonly model: unknown;
  /** What the model is told first, in every request. It is not kept in the history. */
  readonly system?: string;
  /** What the model may call, as `tool()` of the package makes it. One without `execute` is run by the client. */
  readonly tools?: T;
  /**
   * What may happen if a tool is called twice: `read`, `idempotent`, or `unsafe`, the default. A turn that was lost after an
   * unsafe tool had started is never repeated by itself.
   */
  readonly effects?: { readonly [name in keyof T]?: ToolEffect };
  /** How many requests a message of the user may take; 20 by default. Then the turn ends with `max-steps`. */
  readonly maxSteps?: number;
  /** True: the calls of one answer are made one after the other, in the model's order. By default, all at once. */
  readonly ordered?: boolean;
  /**
   * More options of `streamText`, such as `temperature`, `providerOptions`, `prepareStep` or `stopWhen`. The callbacks among
   * them are called for each request.
   */
  readonly request?: Partial<
    Omit<
      StreamTextOptions<S>,
      'model' | 'system' | 'instructions' | 'prompt' | 'messages' | 'tools' | 'abortSignal' | 'toolApproval'
    >
  >;
}

const NAMES: readonly string[] = [
  'streamText',
  'model',
  'system',
  'tools',
  'effects',
  'maxSteps',
  'ordered',
  'request',
];
/** The options of `streamText` that the agent sets itself. */
const OWN: readonly string[] = [
  'model',
  'system',
  'instructions',
  'prompt',
  'messages',
  'tools',
  'abortSignal',
  'toolApproval',
];
const EFFECTS: readonly unknown[] = ['read', 'idempotent', 'unsafe'];

/**
 * Makes an agent of the AI SDK, for `createAgentRunner`: on any model that `streamText` takes, with the tools of the package.
 * It does what a loop around `streamText` has to: it passes the signal, fences the stream, gates the tools, asks for the
 * approval that a tool needs, and leaves a transcript that the next request may be made with.
 *
 * @param options - `streamText`, the model, and what it may do
 * @returns the agent; one serves any number of sessions
 * @throws `INVALID_OPTIONS`
 */
export function aiAgent<S extends StreamText, T extends AiTools = AiTools>(
  options: AiAgentOptions<S, T>,
): Agent<AiMessage> {
  const settings = options as unknown as Settings;
  check(settings);
  return {
    format: FORMAT,
    from: fromNeutral,
    to: toNeutral,
    close: closeHistory,
    turn: (run, input) => new AiTurn(settings, run, input),
  };
}

function check(options: Settings): void {
  const { streamText, model, tools = {}, effects = {}, maxSteps = 20, request = {} } = options;
  const unknown = Object.keys(options).find((key) => !NAMES.includes(key));
  if (unknown !== undefined) throw invalid(`aiAgent has no option "${unknown}": use ${NAMES.join(', ')}.`);
  if (typeof streamText !== 'function') throw invalid('streamText must be the function of the ai package.');
  if (model == null) throw invalid('model must be a model of the AI SDK.');
  if (!Number.isSafeInteger(maxSteps) || maxSteps < 1) throw invalid('maxSteps must be a whole number from 1.');
  const taken = Object.keys(request).find((key) => OWN.includes(key));
  if (taken === 'toolApproval') throw invalid('Say needsApproval at the tool instead of toolApproval in request.');
  if (taken !== undefined) throw invalid(`request may not have "${taken}": the agent sets it.`);
  for (const [name, effect] of Object.entries(effects)) {
    if (!Object.hasOwn(tools, name)) throw invalid(`effects names "${name}", and there is no such tool.`);
    if (!EFFECTS.includes(effect)) throw invalid(`The effect of tool "${name}" must be one of ${EFFECTS.join(', ')}.`);
  }
}

function invalid(message: string): RunfenceError {
  return new RunfenceError('INVALID_OPTIONS', message);
}
