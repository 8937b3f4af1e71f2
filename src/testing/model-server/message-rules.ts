// What a provider says of a single message. Each rule names where the text of its error is from.
import { type Broken, broken, type Rule } from './refusal.js';
import type { ModelBody, ModelMessage } from './transcript.js';

const ROLES: readonly string[] = ['system', 'developer', 'user', 'assistant', 'tool'];
const NAME = /^[a-zA-Z0-9_-]+$/;
const LONGEST_ID = 40;

export const MESSAGE_RULES: readonly Rule[] = [
  {
    name: 'role-unknown',
    cites: 'https://github.com/volcengine/volcengine-java-sdk/issues/105',
    check: each(({ role }, at) =>
      ROLES.includes(role)
        ? undefined
        : broken(`Invalid value: '${role}'. Supported values are: '${ROLES.join("', '")}'.`, `messages[${at}].role`),
    ),
  },
  {
    name: 'content-null',
    cites: 'https://github.com/langchain-ai/langchainjs/issues/4153',
    check: each((message, at) =>
      isContent(message.content) || (message.content == null && message.tool_calls !== undefined)
        ? undefined
        : broken("Invalid value for 'content': expected a string, got null.", `messages.[${at}].content`),
    ),
  },
  {
    name: 'assistant-empty',
    cites: 'https://github.com/anomalyco/opencode/issues/37887',
    check: each(({ role, content, tool_calls }, at) =>
      role === 'assistant' && tool_calls === undefined && isEmpty(content)
        ? broken(
            `Invalid request: the message at position ${at} with role 'assistant' must not be empty`,
            `messages[${at}]`,
          )
        : undefined,
    ),
  },
  {
    name: 'tool-calls-empty',
    cites: 'https://github.com/home-assistant/core/pull/118577',
    check: each(({ tool_calls }, at) =>
      tool_calls?.length === 0 ? emptyArray(`messages[${at}].tool_calls`) : undefined,
    ),
  },
  {
    name: 'call-name',
    cites: 'https://github.com/mcp-use/mcp-use/issues/90',
    check: eachCall(({ function: { name } }, where) =>
      NAME.test(name) ? undefined : mismatch(`${where}.function.name`),
    ),
  },
  {
    name: 'call-id-long',
    cites: 'https://github.com/agno-agi/agno/issues/5382',
    check: eachCall(({ id }, where) =>
      id.length <= LONGEST_ID
        ? undefined
        : broken(
            `Invalid '${where}.id': string too long. Expected a string with maximum length ${LONGEST_ID}, but got a string with length ${id.length} instead.`,
            `${where}.id`,
          ),
    ),
  },
  {
    name: 'arguments-not-json',
    cites: 'https://github.com/justrach/codegraff/issues/752',
    check: eachCall((call, where) =>
      isObjectText(call.function.arguments)
        ? undefined
        : broken(
            `Invalid request: ${where}.function.arguments: arguments must be a valid JSON object string`,
            `${where}.function.arguments`,
          ),
    ),
  },
];

export function emptyArray(where: string): Broken {
  return broken(
    `Invalid '${where}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
    where,
  );
}

export function mismatch(where: string): Broken {
  return broken(
    `Invalid '${where}': string does not match pattern. Expected a string that matches the pattern '${NAME.source}'.`,
    where,
  );
}

export function isName(name: unknown): boolean {
  return typeof name === 'string' && NAME.test(name);
}

type CheckMessage = (message: ModelMessage, at: number) => Broken | undefined;

function each(check: CheckMessage): Rule['check'] {
  return ({ messages }: ModelBody) => firstOf(messages.map((message, at) => check(message, at)));
}

function eachCall(check: (call: ToolCall, where: string) => Broken | undefined): Rule['check'] {
  return each(({ tool_calls = [] }, at) =>
    firstOf(tool_calls.map((call, index) => check(call, `messages[${at}].tool_calls[${index}]`))),
  );
}

type ToolCall = NonNullable<ModelMessage['tool_calls']>[number];

function firstOf(all: readonly (Broken | undefined)[]): Broken | undefined {
  return all.find((one) => one !== undefined);
}

function isContent(content: unknown): boolean {
  return typeof content === 'string' || Array.isArray(content);
}

function isEmpty(content: unknown): boolean {
  return content === '' || (Array.isArray(content) && content.length === 0);
}

function isObjectText(text: unknown): boolean {
  try {
    const value: unknown = JSON.parse(String(text));
    return typeof text === 'string' && typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
