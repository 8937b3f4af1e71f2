import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';
import type { AbortReason, Receipt, Run, RunControl } from 'runfence';
import type { AgentEvent, Call, Cut, Decision, Finish, Turn } from 'runfence/agent';
import { type AiAgentOptions, type AiMessage, type AiTools, aiAgent } from 'runfence/ai';
import { type ModelScript, type ModelServer, startModelServer } from 'runfence/testing';
import { expect } from 'vitest';
import { tracked } from '../support/tracked.js';

/** A turn on a run of its own, with nothing of the runner's around it: what the agent itself does is seen here. */
export interface Stage extends AsyncDisposable {
  readonly server: ModelServer;
  readonly control: RunControl;
  readonly errors: readonly unknown[];
  start(said?: string, history?: readonly AiMessage[]): Started;
  /** Sends what is left of a turn to the model, as its next turn would. */
  next(history: readonly AiMessage[]): Promise<Finish>;
}

export interface Started {
  readonly events: AgentEvent[];
  readonly questions: Call[];
  readonly answer: (decision: Decision) => void;
  readonly unsafe: AiMessage[][];
  readonly run: Run;
  readonly turn: Turn<AiMessage>;
  readonly done: Promise<Finish>;
  /** Stops it, waits until its work has unwound, and answers with the receipt. */
  stop(reason?: AbortReason): Promise<Receipt>;
  /** The history after it. */
  all(cut?: Cut): AiMessage[];
}

export type Options = Partial<AiAgentOptions<typeof streamText, AiTools>> & {
  readonly beforeUnsafe?: () => Promise<void>;
  /** The test looks at the errors that the control has heard. */
  readonly onError?: true;
};

export function modelOf({ baseURL }: Pick<ModelServer, 'baseURL'>) {
  return createOpenAICompatible({ name: 'scripted', baseURL, apiKey: 'any', includeUsage: true })('scripted');
}

export async function stage(script: ModelScript, options: Options = {}): Promise<Stage> {
  const { beforeUnsafe = async () => {}, onError, request, ...given } = options;
  const server = await startModelServer(script);
  const model = modelOf(server);
  const agent = aiAgent({ streamText, model, request: { maxRetries: 0, ...request }, ...given });
  const { control, errors } = tracked();
  let runs = 0;

  const start = (said = 'go', history: readonly AiMessage[] = []): Started => {
    const runId = `r${++runs}`;
    const incoming = agent.from([{ role: 'user', content: said }]);
    const events: AgentEvent[] = [];
    const questions: Call[] = [];
    const unsafe: AiMessage[][] = [];
    let answer!: (decision: Decision) => void;
    const begun = control.runs.beginSync({ sessionKey: 's', runId });
    if (begun.status !== 'started') throw new Error(`not started: ${begun.status}`);
    const { run } = begun;
    const emit = run.fence((event: AgentEvent) => events.push(event));
    const turn = agent.turn(run, {
      history: agent.close(history, incoming),
      incoming,
      emit: (event) => emit(event) !== undefined,
      approve: (call) => {
        questions.push(call);
        return new Promise((resolve, reject) => {
          answer = resolve;
          run.signal.addEventListener('abort', () => reject(run.signal.reason), { once: true });
        });
      },
      beforeUnsafe: async () => {
        unsafe.push(turn.snapshot());
        await beforeUnsafe();
      },
    });
    const done = turn.done.then(
      (finish) => {
        run.complete(finish);
        return finish;
      },
      (error) => {
        run.fail(error);
        throw error;
      },
    );
    done.catch(() => {});
    return {
      events,
      questions,
      unsafe,
      run,
      turn,
      done,
      answer: (decision) => answer(decision),
      all: (cut) => [...history, ...incoming, ...turn.snapshot(cut)],
      stop: async (reason = 'user') => {
        const receipt = await control.abort({ runId }, { reason });
        await done.catch(() => {});
        return receipt;
      },
    };
  };
  return {
    server,
    control,
    errors,
    start,
    next: (history) => start('and now?', history).done,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      if (onError === undefined) expect(errors).toEqual([]);
    },
  };
}

/** A promise that the test settles. */
export function pending<T = void>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

export const textsOf = (events: readonly AgentEvent[]): string =>
  events.map((event) => (event.type === 'text' ? event.text : '')).join('');

export const endsOf = (events: readonly AgentEvent[]): unknown[] =>
  events.flatMap((event) => (event.type === 'tool-end' ? [[event.name, event.status, event.output]] : []));

/** What the model is told of each call, in order. */
export const resultsOf = (messages: readonly AiMessage[]): unknown[] =>
  messages.flatMap(({ role, content }) =>
    role === 'tool' ? (content as readonly { output?: unknown }[]).map(({ output }) => output) : [],
  );

/** Waits for what is sure to come; the test's own time is the limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}
