import type { Row } from '../harness/row.js';

/** Every row by the name that `--row` takes, in the order of the table. Loaded one at a time, each in its own process. */
export const rows: Readonly<Record<string, () => Promise<{ readonly row: Row }>>> = {
  '1': () => import('./01-check.js'),
  '2': () => import('./02-begin-end.js'),
  '3': () => import('./03-begin-end-signal.js'),
  '4': () => import('./04-run.js'),
  '5': () => import('./05-takeover.js'),
  '6': () => import('./06-takeover-signal.js'),
  '7': () => import('./07-heap.js'),
  '8': () => import('./08-abort-session.js'),
  '9': () => import('./09-expiry.js'),
  '10': () => import('./10-iterable.js'),
  '11': () => import('./11-stream.js'),
  '12': () => import('./12-lock.js'),
  '13': () => import('./13-files-lock.js'),
  '14': () => import('./14-keep-alive.js'),
  '15': () => import('./15-http.js'),
  '16': () => import('./16-tree-kill.js'),
  redis: () => import('./redis.js'),
  postgres: () => import('./postgres.js'),
  openai: () => import('./openai-token.js'),
  ai: () => import('./ai-token.js'),
  'http-token': () => import('./http-token.js'),
  'http-streams': () => import('./http-streams.js'),
  'openai-agents': () => import('./openai-agents-token.js'),
  langgraph: () => import('./langgraph-token.js'),
  run: () => import('./run-bare.js'),
  stop: () => import('./stop.js'),
  saved: () => import('./saved.js'),
  streams: () => import('./streams.js'),
  growth: () => import('./growth.js'),
  cycles: () => import('./cycles.js'),
};

/** Numbers come first in an object, whatever the order they were written in. */
export const rowIds: readonly string[] = Object.keys(rows);
