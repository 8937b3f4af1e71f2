import type { Principal } from '../index.js';
import { digestOf } from './json.js';

/** A message's id is its sender's: nobody else's message is taken for its repetition. */
export function scopedId(messageId: string, principal: Principal | undefined): string {
  const { userId, deviceId, connId } = principal ?? {};
  // By the widest id: a connection that comes back is the same sender.
  return digestOf([userId ?? null, userId === undefined ? (deviceId ?? connId ?? null) : null, messageId]);
}

/** The run of a message: the same message is the same run on every node. */
export function runIdOf(sessionKey: string, scopedMessageId: string): string {
  return digestOf(['run', sessionKey, scopedMessageId]);
}

export function randomRunId(): string {
  return crypto.randomUUID();
}
