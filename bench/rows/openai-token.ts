import { openaiAgent } from 'runfence/openai';
import { clientOf } from '../harness/openai.js';
import type { Row } from '../harness/row.js';
import { tokenRow } from './token.js';

export const row: Row = tokenRow({
  title: 'a token of the openai package, through agent, fence, runner and stream',
  agent: 'openaiAgent',
  bare: 'the bare openai package',
  agentOf: (count) => openaiAgent({ client: clientOf(count), model: 'm' }),
  textOf: async (count) => {
    const messages = [{ role: 'user' as const, content: 'hi' }];
    const stream = await clientOf(count).chat.completions.create({ model: 'm', messages, stream: true });
    let text = '';
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
    return text;
  },
});
