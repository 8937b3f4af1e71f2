import { MESSAGE_RULES } from './message-rules.js';
import { ORDER_RULES } from './order-rules.js';
import type { ModelRefusal, Rule } from './refusal.js';
import { REQUEST_RULES } from './request-rules.js';
import type { ModelBody } from './transcript.js';

export const RULES: readonly Rule[] = [...REQUEST_RULES, ...MESSAGE_RULES, ...ORDER_RULES];

/** The first rule that a request breaks; `undefined` if a provider would take it. */
export function refusalOf(body: ModelBody, rules: readonly Rule[] = RULES): ModelRefusal | undefined {
  for (const { name, cites, check } of rules) {
    const found = check(body);
    if (found !== undefined) return { rule: name, ...found, cites };
  }
  return undefined;
}

/** What is wrong with a body before any rule can look at it. */
export function shapeProblem(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return 'We could not parse the JSON body of your request.';
  const { model, messages, tools } = body as { model?: unknown; messages?: unknown; tools?: unknown };
  if (typeof model !== 'string') return 'you must provide a model parameter';
  if (!Array.isArray(messages)) return "Missing required parameter: 'messages'.";
  const at = messages.findIndex((message) => !isMessage(message));
  if (at >= 0) return `Invalid type for 'messages[${at}]': expected an object with a role, and calls with an id.`;
  const isTools = tools === undefined || (Array.isArray(tools) && tools.every(isFunction));
  return isTools ? undefined : "Invalid type for 'tools': expected an array of objects with a function.";
}

function isMessage(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { role, tool_calls } = value as { role?: unknown; tool_calls?: unknown };
  if (typeof role !== 'string') return false;
  return tool_calls === undefined || (Array.isArray(tool_calls) && tool_calls.every(isCall));
}

function isCall(value: unknown): boolean {
  const { id, function: named } = (value ?? {}) as { id?: unknown; function?: { name?: unknown } };
  return typeof id === 'string' && typeof named?.name === 'string';
}

function isFunction(value: unknown): boolean {
  const { function: named } = (value ?? {}) as { function?: unknown };
  return typeof named === 'object' && named !== null;
}
