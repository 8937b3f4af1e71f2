/**
 * Serves an agent of any framework: sessions with a history, stops, steering and approvals.
 *
 * @module runfence/agent
 */

export type { Agent, Cut, Decision, Turn, TurnInput } from './agent.js';
export type { AnswerResult, OpenApproval } from './approvals.js';
export type { ChildResult, ChildSend } from './child.js';
export { type ChildAgentContext, type ChildAgentOptions, childAgent } from './child-agent.js';
export { closingText } from './closing.js';
export { effectKey } from './effect-key.js';
export { errorText } from './error-text.js';
export type {
  AgentEvent,
  ApprovalEvent,
  Call,
  DataEvent,
  ErrorEvent,
  Finish,
  FinishEvent,
  SteeredEvent,
  StepEvent,
  TextEvent,
  ToolEffect,
  ToolEndEvent,
  ToolStartEvent,
  ToolStatus,
  Usage,
} from './event.js';
export type { History, TurnRecord, WriteAt } from './history.js';
export { Inbox } from './inbox.js';
export { type MemoryHistoryOptions, memoryHistory } from './memory-history.js';
export type { Message, Part } from './message.js';
export type { AgentRunnerOptions, Busy, By, SendOptions } from './options.js';
export type {
  AbortedSend,
  ActiveTurn,
  Saving,
  SendResult,
  Sent,
  SessionMessages,
  ShownMessage,
  SteerResult,
} from './results.js';
export { type AgentRunner, createAgentRunner } from './runner.js';
export type { SteerTarget } from './steer.js';
export { textOf } from './text.js';
export type { Unwatched } from './watchers.js';
