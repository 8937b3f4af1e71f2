import { allEvents } from './sse.js';

export interface UiRead {
  readonly types: string[];
  readonly chunks: Record<string, unknown>[];
  readonly text: string;
  /** What no client of the protocol needs to bear. */
  readonly problems: string[];
}

const LAST = ['finish', 'abort', 'error'];

/** The stream of a UI message, as strictly as any client reads it. */
export async function readUi(response: Response): Promise<UiRead> {
  const items = (await allEvents(response)).filter(({ event }) => event !== ':');
  const problems: string[] = [];
  const says = (isSo: boolean, problem: string): void => void (isSo || problems.push(problem));
  says(items.at(-1)?.data === '[DONE]', 'it ends with [DONE]');
  const chunks = items.slice(0, -1).map(({ data }) => JSON.parse(data) as Record<string, unknown>);
  const types = chunks.map(({ type }) => String(type));
  says(types[0] === 'start' && types.lastIndexOf('start') === 0, 'it begins with start');
  says(LAST.includes(types.at(-1) ?? ''), 'it ends with finish, abort or error');
  says(types.filter((type) => LAST.includes(type)).length === 1, 'it ends once');
  let part: unknown;
  let isInStep = false;
  const calls = new Map<unknown, 'open' | 'done'>();
  for (const { type, id, toolCallId } of chunks) {
    const [, kind, what] = /^(text|reasoning)-(start|delta|end)$/.exec(String(type)) ?? [];
    if (kind !== undefined) {
      says(isInStep, `${type} is in a step`);
      if (what === 'start') {
        says(part === undefined, 'a part begins when the one before is over');
        part = id;
      } else says(part === id, `${type} is of the part that is open`);
      if (what === 'end') part = undefined;
    }
    if (type === 'start-step') isInStep = true;
    if (type === 'finish-step') {
      says(isInStep && part === undefined, 'a step ends once, with no part open');
      isInStep = false;
    }
    if (type === 'tool-input-available') {
      says(calls.get(toolCallId) !== 'open', 'a call begins once');
      says(part === undefined, 'a call is in no part');
      calls.set(toolCallId, 'open');
    }
    if (String(type).startsWith('tool-output')) {
      says(calls.get(toolCallId) === 'open', 'a result is of a call that is open');
      calls.set(toolCallId, 'done');
    }
  }
  says(!isInStep && part === undefined, 'nothing is left open');
  const forClient = chunks.at(-1)?.finishReason === 'tool-calls';
  says(forClient || [...calls.values()].every((state) => state === 'done'), 'every call has its result');
  const text = chunks.map(({ type, delta }) => (type === 'text-delta' ? String(delta) : '')).join('');
  return { types, chunks, text, problems };
}
