import { closingText } from '../agent/index.js';
import type { AgentsItem } from './sdk.js';

interface OpenCall {
  /** The id by which its result is known. */
  readonly was: string;
  readonly id: string;
  readonly item: AgentsItem;
}

/**
 * Items that the next request may be made with: every call has one result, right behind its batch; ids are unique, since the
 * package leaves out all but the last call of an id; arguments are a JSON object; no reasoning is left without what it led to.
 *
 * @param resultOf - what the model is told of a call without a result; `undefined`: its result is still to come
 */
export function settled(
  items: readonly AgentsItem[],
  resultOf: (call: AgentsItem) => string | undefined = () => closingText('unknown'),
): AgentsItem[] {
  const all: AgentsItem[] = [];
  const ids = new Set<string>();
  let open: OpenCall[] = [];
  let isAnswered = false;
  const close = (): void => {
    for (const { id, item } of open) {
      const text = resultOf(item);
      if (text !== undefined) all.push(resultItem(id, item.name ?? '', text));
    }
    open = [];
    isAnswered = false;
  };
  for (const item of items) {
    if (item.type === 'function_call_result') {
      const at = open.findIndex(({ was }) => was === item.callId);
      const [call] = at < 0 ? [] : open.splice(at, 1);
      // A result without a call is refused.
      if (call !== undefined) all.push(item.callId === call.id ? item : { ...item, callId: call.id });
      isAnswered = true;
      continue;
    }
    if (isAnswered || (item.role !== undefined && item.role !== 'assistant')) close();
    if (item.type !== 'function_call') {
      all.push(item);
      continue;
    }
    const was = item.callId ?? '';
    let id = was;
    for (let count = 2; id === '' || ids.has(id); count++) id = `${was || 'call'}_${count}`;
    ids.add(id);
    open.push({ was, id, item });
    const text = objectText(item.arguments);
    all.push(id === was && text === item.arguments ? item : { ...item, callId: id, arguments: text });
  }
  close();
  return all.filter((item, at) => item.type !== 'reasoning' || leads(all, at));
}

/** Providers refuse reasoning that nothing of the assistant's follows. */
function leads(items: readonly AgentsItem[], at: number): boolean {
  const next = items.slice(at + 1).find(({ type }) => type !== 'reasoning');
  return next !== undefined && (next.role === undefined || next.role === 'assistant');
}

function objectText(text: string | undefined): string {
  return isObject(parsed(text)) ? (text ?? '{}') : '{}';
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a JSON text; the text itself if it is none. */
export function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return text;
  }
}

export function resultItem(callId: string, name: string, text: string): AgentsItem {
  return { type: 'function_call_result', callId, name, status: 'completed', output: { type: 'text', text } };
}

export function callItem(callId: string, name: string, input: unknown): AgentsItem {
  return { type: 'function_call', callId, name, status: 'completed', arguments: JSON.stringify(input ?? {}) };
}

export function saidItem(text: string, status: 'completed' | 'incomplete'): AgentsItem {
  return { type: 'message', role: 'assistant', status, content: [{ type: 'output_text', text }] };
}

/**
 * Makes a transcript valid for the next request: each call without a result gets one that says so, unless the incoming items
 * begin with it. The agent does it at every read; a loop of your own calls it on what it has kept of a turn that was cut.
 *
 * @param history - what was kept
 * @param incoming - what comes next
 * @returns the history, valid
 */
export function closeItems(history: readonly AgentsItem[], incoming: readonly AgentsItem[] = []): AgentsItem[] {
  const to = incoming.findIndex(({ type }) => type !== 'function_call_result');
  const answered = new Set((to < 0 ? incoming : incoming.slice(0, to)).map(({ callId }) => callId));
  return settled(history, ({ callId }) => (answered.has(callId) ? undefined : closingText('unknown')));
}
