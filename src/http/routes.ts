import { chatCompletions } from './chat-completions/handler.js';
import { answerApproval } from './control/approvals.js';
import { runEvents } from './control/events.js';
import { getReceipt, getRun } from './control/runs.js';
import { listSessions } from './control/sessions.js';
import { abortRun, abortSession } from './control/stop.js';
import type { HttpHandlers } from './handlers.js';
import { cancelResponse, getResponse, responses } from './responses/handlers.js';
import type { Call } from './shared/context.js';
import { chat, resumeChat, stopChat } from './ui-messages/handlers.js';

/** A route: how it is asked, and where. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** The path; its first group is the id. */
  readonly path: RegExp;
  readonly answer: (call: Call) => Promise<Response>;
}

export const ROUTES: Readonly<Record<Exclude<keyof HttpHandlers, 'fetch'>, Route>> = {
  chatCompletions: { method: 'POST', path: /^\/v1\/chat\/completions$/, answer: chatCompletions },
  responses: { method: 'POST', path: /^\/v1\/responses$/, answer: responses },
  getResponse: { method: 'GET', path: /^\/v1\/responses\/([^/]+)$/, answer: getResponse },
  cancelResponse: { method: 'POST', path: /^\/v1\/responses\/([^/]+)\/cancel$/, answer: cancelResponse },
  chat: { method: 'POST', path: /^\/api\/chat$/, answer: chat },
  resumeChat: { method: 'GET', path: /^\/api\/chat\/([^/]+)\/stream$/, answer: resumeChat },
  stopChat: { method: 'POST', path: /^\/api\/chat\/([^/]+)\/stop$/, answer: stopChat },
  abortSession: { method: 'POST', path: /^\/sessions\/([^/]+)\/abort$/, answer: abortSession },
  abortRun: { method: 'POST', path: /^\/runs\/([^/]+)\/abort$/, answer: abortRun },
  listSessions: { method: 'GET', path: /^\/sessions$/, answer: listSessions },
  getRun: { method: 'GET', path: /^\/runs\/([^/]+)$/, answer: getRun },
  getReceipt: { method: 'GET', path: /^\/runs\/([^/]+)\/receipt$/, answer: getReceipt },
  runEvents: { method: 'GET', path: /^\/runs\/([^/]+)\/events$/, answer: runEvents },
  answerApproval: { method: 'POST', path: /^\/approvals\/([^/]+)$/, answer: answerApproval },
};
