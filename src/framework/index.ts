// What every adapter of a framework needs. No entry.

export { throwIfCut } from './throw-if-cut.js';
export { type CallOf, contextIn, type ToolContext, toolContextOf, withContext } from './tool-context.js';
