import { Agent, OpenAIProvider, Runner } from '@openai/agents';
import OpenAI from 'openai';
import { openaiAgentsAgent } from 'runfence/openai-agents';
import { fetchOf } from '../harness/openai.js';
import type { Row } from '../harness/row.js';
import { tokenRow } from './token.js';

const agent = new Agent({ name: 'assistant', model: 'm' });

function runnerOf(count: number): Runner {
  const openAIClient = new OpenAI({ apiKey: 'any', baseURL: 'http://localhost', fetch: fetchOf(count) });
  const modelProvider = new OpenAIProvider({ openAIClient: openAIClient as never, useResponses: false });
  return new Runner({ modelProvider, tracingDisabled: true });
}

export const row: Row = tokenRow({
  title: 'a token of @openai/agents, through agent, fence, runner and stream',
  agent: 'openaiAgentsAgent',
  bare: 'the bare @openai/agents package',
  agentOf: (count) => openaiAgentsAgent({ agent, runner: runnerOf(count) }),
  textOf: async (count) => {
    const result = await runnerOf(count).run(agent, [{ role: 'user', content: 'hi' }], { stream: true });
    let text = '';
    for await (const event of result)
      if (event.type === 'raw_model_stream_event' && event.data.type === 'output_text_delta') text += event.data.delta;
    await result.completed;
    return text;
  },
});
