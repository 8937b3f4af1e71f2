/**
 * An agent of LangGraph, and its small pieces for loops of your own.
 *
 * @module runfence/langgraph
 */

export type { ToolContext } from '../framework/index.js';
export { type GraphSetup, type LangGraphAgentOptions, langGraphAgent } from './agent.js';
export type { GateToolOptions } from './calls.js';
export { type CloseThreadOptions, closeThread } from './close.js';
export { fencedCheckpointer } from './saver.js';
export type {
  LangGraphCall,
  LangGraphGraph,
  LangGraphMessage,
  LangGraphSaver,
  LangGraphThreads,
} from './sdk.js';
export { toolContext } from './tool-context.js';
