// What a provider says of a request as a whole.
import { emptyArray, isName, mismatch } from './message-rules.js';
import { broken, type Rule } from './refusal.js';

export const REQUEST_RULES: readonly Rule[] = [
  {
    name: 'messages-empty',
    cites: 'https://github.com/CopilotKit/CopilotKit/issues/529',
    check: ({ messages }) => (messages.length === 0 ? emptyArray('messages') : undefined),
  },
  {
    name: 'tools-empty',
    cites: 'https://github.com/runebookai/tome/pull/87',
    check: ({ tools }) => (tools?.length === 0 ? emptyArray('tools') : undefined),
  },
  {
    name: 'tool-name',
    cites: 'https://github.com/coinbase/agentkit/pull/217',
    check: ({ tools = [] }) => {
      const at = tools.findIndex((tool) => !isName(tool.function?.name));
      return at < 0 ? undefined : mismatch(`tools[${at}].function.name`);
    },
  },
  {
    name: 'tool-schema',
    cites: 'https://github.com/spring-projects/spring-ai/issues/4776',
    check: ({ tools = [] }) => {
      const at = tools.findIndex(({ function: { parameters } }) => parameters !== undefined && !isObject(parameters));
      return at < 0
        ? undefined
        : broken(
            `Invalid schema for function '${tools[at]?.function.name}': In context=(), object schema missing properties.`,
            `tools[${at}].function.parameters`,
          );
    },
  },
  {
    name: 'parallel-without-tools',
    cites: 'https://github.com/Upsonic/Upsonic/issues/323',
    check: ({ tools, parallel_tool_calls }) =>
      tools === undefined && parallel_tool_calls !== undefined
        ? broken(
            "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.",
            'parallel_tool_calls',
          )
        : undefined,
  },
  {
    name: 'stream-options',
    cites: 'https://github.com/BerriAI/litellm/issues/5803',
    check: ({ stream, stream_options }) =>
      stream !== true && stream_options != null
        ? broken("The 'stream_options' parameter is only allowed when 'stream' is enabled.", 'stream_options')
        : undefined,
  },
];

function isObject(schema: unknown): boolean {
  const { type, properties } = (schema ?? {}) as { readonly type?: unknown; readonly properties?: unknown };
  return type === 'object' && typeof properties === 'object' && properties !== null;
}
