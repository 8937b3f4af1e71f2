import { allEvents, type SentEvent } from './sse.js';

interface Chunk {
  readonly id?: unknown;
  readonly object?: unknown;
  readonly created?: unknown;
  readonly model?: unknown;
  readonly choices?: readonly {
    readonly index?: unknown;
    readonly delta?: { readonly role?: unknown; readonly content?: unknown; readonly tool_calls?: unknown };
    readonly finish_reason?: unknown;
  }[];
  readonly usage?: unknown;
  readonly x_run?: { readonly id: string; readonly status: string; readonly reason?: string };
  readonly error?: { readonly message: string; readonly type: string; readonly param: unknown; readonly code: string };
}

export interface Read {
  readonly text: string;
  readonly finish: unknown;
  readonly run: Chunk['x_run'];
  readonly error: Chunk['error'];
  readonly usage: unknown;
  /** What no client of the protocol needs to bear. */
  readonly problems: string[];
}

/** The stream of a chat completion, as strictly as any client reads it. */
export async function readCompletion(response: Response): Promise<Read> {
  return checkCompletion(await allEvents(response));
}

export function checkCompletion(events: readonly SentEvent[]): Read {
  const problems: string[] = [];
  const says = (isSo: boolean, problem: string): void => void (isSo || problems.push(problem));
  const items = events.filter(({ event }) => event !== ':');
  const isDone = items.at(-1)?.data === '[DONE]';
  const chunks = items.slice(0, isDone ? -1 : undefined).map(({ data }) => JSON.parse(data) as Chunk);
  const error = chunks.at(-1)?.error;
  const said = error === undefined ? chunks : chunks.slice(0, -1);
  says(isDone !== (error !== undefined), 'it ends with [DONE], or with an error, and not with both');
  says(
    items.every(({ event }) => event === undefined),
    'no item has an event name',
  );
  says(
    said.every(({ choices }) => Array.isArray(choices)),
    'every item has choices',
  );
  says(
    said.every(({ error: one }) => one === undefined),
    'nothing follows an error',
  );
  says(
    said.every(({ object }) => object === 'chat.completion.chunk'),
    'every item is a chunk',
  );
  const same = new Set(said.map(({ id, created, model }) => JSON.stringify([id, created, model])));
  says(same.size <= 1, 'id, created and model stay');
  const choices = said.flatMap((chunk) => chunk.choices ?? []);
  says(choices[0]?.delta?.role === 'assistant', 'the role comes first');
  says(choices.filter(({ delta }) => delta?.role !== undefined).length === 1, 'the role comes once');
  says(
    choices.every(({ index }) => index === 0),
    'there is one choice',
  );
  const finishes = choices.filter(({ finish_reason: reason }) => reason !== null);
  says(finishes.length === (error === undefined ? 1 : 0), 'there is one finish reason, or an error');
  says(error !== undefined || choices.at(-1) === finishes[0], 'nothing is said after the finish');
  const withUsage = said.findIndex(({ usage }) => usage !== undefined);
  says(withUsage < 0 || withUsage === said.length - 1, 'the usage is the last chunk');
  if (error !== undefined) {
    const { message, type, param, code } = error;
    says([message, type, code].every((one) => typeof one === 'string') && param === null, 'an error has its shape');
  }
  return {
    text: choices.map(({ delta }) => delta?.content ?? '').join(''),
    finish: finishes[0]?.finish_reason,
    run: said.find((chunk) => chunk.x_run !== undefined)?.x_run,
    error,
    usage: said[withUsage]?.usage,
    problems,
  };
}
