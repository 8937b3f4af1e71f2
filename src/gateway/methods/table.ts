import { invalid } from '../../transport/index.js';
import type { GatewayApi } from '../api/methods.js';
import type { GatewayMethods } from '../host-methods.js';
import { chatAbort, sessionsAbort } from './abort.js';
import { hostMethod } from './host.js';
import type { Method } from './method.js';
import { runReceipt, wait } from './runs.js';
import { sendMethod } from './send.js';
import { getSession, listSessions, subscribe, unsubscribe } from './sessions.js';
import { answerMethod, steerMethod } from './words.js';

/** All methods but `connect`, which the connection itself answers. */
export function methodTable(stopWords: readonly string[], own: GatewayMethods): ReadonlyMap<string, Method> {
  const words = new Set(stopWords.map(normal));
  const isStopWord = (message: string): boolean => words.has(normal(message));
  const methods: Readonly<Record<Exclude<keyof GatewayApi, 'connect'>, Method>> = {
    'chat.send': sendMethod('chat', isStopWord),
    agent: sendMethod('agent', isStopWord),
    'chat.steer': steerMethod(isStopWord),
    'chat.answer': answerMethod,
    'chat.abort': chatAbort,
    'sessions.abort': sessionsAbort,
    'agent.wait': wait,
    'sessions.list': listSessions,
    'sessions.get': getSession,
    'sessions.subscribe': subscribe,
    'sessions.unsubscribe': unsubscribe,
    'runs.receipt': runReceipt,
  };
  const table = new Map(Object.entries(methods));
  for (const [name, method] of Object.entries(own)) {
    if (table.has(name) || name === 'connect') throw invalid(`methods: "${name.slice(0, 64)}" is the gateway's own.`);
    table.set(name, hostMethod(method));
  }
  return table;
}

function normal(message: string): string {
  return message.trim().toLowerCase();
}
