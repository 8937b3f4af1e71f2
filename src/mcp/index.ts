/**
 * Tools over MCP, from both ends: the calls of a client, and the tools of a server. For SDK 1.x.
 *
 * @module runfence/mcp
 */

export { callToolIn } from './call-tool.js';
export type { McpAuthInfo, McpClient, McpExtra, McpToolError } from './sdk.js';
export { type ToolRunOptions, toolRun } from './tool-run.js';
