/**
 * An agent of the `openai` package, or of any client that speaks chat completions.
 *
 * @module runfence/openai
 */

export type { ToolContext } from '../framework/index.js';
export { type OpenAIAgentOptions, openaiAgent } from './agent.js';
export type {
  OpenAICall,
  OpenAICallDelta,
  OpenAIChoice,
  OpenAIChunk,
  OpenAIClient,
  OpenAIDelta,
  OpenAIMessage,
  OpenAIRequest,
  OpenAIUsage,
} from './client.js';
export type {
  InputOf,
  JsonSchema,
  Parameters,
  StandardIssue,
  StandardPathItem,
  StandardResult,
  StandardSchema,
} from './schema.js';
export { type OpenAITool, type ToolOptions, tool } from './tool.js';
