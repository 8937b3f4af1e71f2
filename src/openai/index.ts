/**
 * An agent of the `openai` package, or of any client that speaks chat completions.
 *
 * @module runfence/openai
 */

export { type OpenAIAgentOptions, openaiAgent } from './agent.js';
export type { OpenAICall, OpenAIChunk, OpenAIClient, OpenAIMessage, OpenAIRequest } from './client.js';
export type { InputOf, JsonSchema, Parameters, StandardIssue, StandardResult, StandardSchema } from './schema.js';
export { type OpenAITool, type ToolContext, type ToolOptions, tool } from './tool.js';
