/**
 * An agent of the AI SDK, the `ai` package, and the pieces for a loop of your own.
 *
 * @module runfence/ai
 */

export type { ToolContext } from '../framework/index.js';
export { type AiAgentOptions, aiAgent } from './agent.js';
export { toolContext } from './context.js';
export { gateTools } from './gate-tools.js';
export type { AiMessage, AiPart, AiResult, AiTool, AiTools, StreamText, StreamTextOptions } from './sdk.js';
export { streamTextIn, type TextIn } from './stream-text-in.js';
