import { ChatOpenAI } from '@langchain/openai';
import { createAgent } from 'langchain';
import { langGraphAgent } from 'runfence/langgraph';
import { fetchOf } from '../harness/openai.js';
import type { Row } from '../harness/row.js';
import { tokenRow } from './token.js';

function graphOf(count: number) {
  const configuration = { baseURL: 'http://localhost', fetch: fetchOf(count) };
  return createAgent({ model: new ChatOpenAI({ model: 'm', apiKey: 'any', configuration }), tools: [] });
}

export const row: Row = tokenRow({
  title: 'a token of LangGraph, through agent, fence, runner and stream',
  agent: 'langGraphAgent',
  bare: 'the bare LangGraph',
  agentOf: (count) => langGraphAgent({ graph: () => graphOf(count) }),
  textOf: async (count) => {
    const input = { messages: [{ role: 'user', content: 'hi' }] };
    const stream = await graphOf(count).stream(input, { streamMode: ['messages', 'updates'] });
    let text = '';
    for await (const [mode, data] of stream) if (mode === 'messages') text += data[0].text;
    return text;
  },
});
