import type { AgentEvent } from '../agent/index.js';

/** An event of a run in the gateway's words: its name, and its own fields as the rest of an object. */
export type Words = readonly [name: string, fields: string];

/** `undefined`: a client is not told, or in the last event of the run. */
export function wordsOf(event: AgentEvent): Words | undefined {
  switch (event.type) {
    case 'text':
      return ['chat', `,"state":"delta","delta":${JSON.stringify(event.text)}`];
    case 'reasoning':
      return ['reasoning', `,"delta":${JSON.stringify(event.text)}`];
    case 'tool-start':
      return toolWords('start', event);
    case 'tool-end':
      return toolWords('end', event);
    case 'approval':
      return toolWords('approval', event);
    case 'steered':
      return ['steered', fields({ messages: event.messages.map(({ native: _, ...message }) => message) })];
    case 'data':
      return ['data', fields({ name: event.name, data: event.data })];
    default:
      return undefined;
  }
}

function toolWords(phase: 'start' | 'end' | 'approval', event: Extract<AgentEvent, { callId: string }>): Words {
  const { type: _, ...rest } = event;
  return ['tool', fields({ phase, ...rest })];
}

/** The rest of an object, behind its first fields. */
export function fields(value: object): string {
  return `,${JSON.stringify(value).slice(1, -1)}`;
}
