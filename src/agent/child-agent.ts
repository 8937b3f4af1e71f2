import type { ChildOptions, Run, SessionKey } from '../index.js';
import type { Message } from './message.js';
import type { AgentRunner } from './runner.js';

/** How an agent serves as a tool. */
export interface ChildAgentOptions<I> extends Pick<ChildOptions, 'tags' | 'timeoutMs' | 'graceMs' | 'kind'> {
  /** What the child is told: by default the input, as it is if it is a text, and otherwise as JSON. */
  readonly messages?: ((input: I) => string | readonly Message[]) | undefined;
  /** A session of its own, in which the child remembers; by default it remembers nothing. */
  readonly sessionKey?: ((input: I, run: Run) => SessionKey) | undefined;
}

/** What the tool of a child is called with: the context of a tool of `runfence/openai` is one. */
export interface ChildAgentContext {
  /** The run that calls it. */
  readonly run: Run;
  /** Tells those who watch the parent of the child: an event of type `data` with the name `child`. */
  readonly emit?: ((name: string, data: unknown) => unknown) | undefined;
}

/**
 * Makes an agent a tool of another one. Each call is a child run: a stop of the parent stops it, and it can be stopped alone
 * by its run id, which the event `data` with the name `child` tells. Then the tool's result says so, and the parent goes on.
 *
 * @param runner - the runner of the agent that is called
 * @param options - what the child is told, and whether it remembers
 * @returns the `execute` of a tool. It gives the child's text
 */
export function childAgent<I = string>(
  runner: AgentRunner,
  options: ChildAgentOptions<I> = {},
): (input: I, context: ChildAgentContext) => Promise<string> {
  const { messages = asText, sessionKey, ...rest } = options;
  return async (input, { run, emit }) => {
    const result = await runner.child(run, {
      ...rest,
      messages: messages(input),
      ...(sessionKey === undefined ? {} : { sessionKey: sessionKey(input, run) }),
      started: (runId) => void emit?.('child', { runId }),
    });
    // The parent may have been stopped with it: then nothing is said of the child.
    run.throwIfStale();
    if (result.status === 'completed') return result.text;
    const soFar = result.text === '' ? '' : ` What it had said until then:\n${result.text}`;
    return `[the agent was stopped (${result.reason})]${soFar}`;
  };
}

function asText(input: unknown): string {
  return typeof input === 'string' ? input : JSON.stringify(input);
}
