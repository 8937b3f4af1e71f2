import type { Message } from './message.js';

/**
 * The text of a message: its text parts, one after the other.
 *
 * @param message - a message, or its content
 * @returns the text; empty if there is none
 */
export function textOf(message: Message | Message['content']): string {
  const content = typeof message === 'object' && 'content' in message ? message.content : message;
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
