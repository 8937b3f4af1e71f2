/**
 * An agent of the package `@openai/agents`, and its gate for loops of your own.
 *
 * @module runfence/openai-agents
 */

export type { ToolContext } from '../framework/index.js';
export { type OpenAIAgentsOptions, openaiAgentsAgent } from './agent.js';
export { gateAgent } from './gate.js';
export { closeItems } from './items.js';
export type { AgentsAgent, AgentsItem, AgentsRunner } from './sdk.js';
export { toolContext } from './tool-context.js';
