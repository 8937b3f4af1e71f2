import { chatCompletions } from './chat-completions/handler.js';
import type { Call } from './shared/context.js';

/** A route: how it is asked, and where. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** The path; its first group is the id. */
  readonly path: RegExp;
  readonly answer: (call: Call) => Promise<Response>;
}

export type RouteName = 'chatCompletions';

export const ROUTES: Readonly<Record<RouteName, Route>> = {
  chatCompletions: { method: 'POST', path: /^\/v1\/chat\/completions$/, answer: chatCompletions },
};
