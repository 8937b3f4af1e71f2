import { Agent, type AgentInputItem, OpenAIProvider, type RunStreamEvent, Runner, tool } from '@openai/agents';
import OpenAI from 'openai';
import { createRunControl, type Run } from 'runfence';
import { gateAgent } from 'runfence/openai-agents';
import { startModelServer } from 'runfence/testing';
import { z } from 'zod';

await using provider = await startModelServer([['I look. ', { call: 'look' }], 'I saw it.']);
const openAIClient = new OpenAI({ baseURL: provider.baseURL, apiKey: 'any' });
const modelProvider = new OpenAIProvider({ openAIClient: openAIClient as never, useResponses: false });
const runner = new Runner({ modelProvider, tracingDisabled: true });
const look = tool({ name: 'look', description: 'Looks.', parameters: z.object({}), execute: () => 'seen' });
const agent = new Agent({ name: 'assistant', tools: [look] });
const shown: RunStreamEvent[] = [];
const show = (event: RunStreamEvent) => void shown.push(event);
// ---
const control = createRunControl();
const outcome = await control.run({ sessionKey: 'c1' }, (run) => turn(run, [{ role: 'user', content: 'Look.' }]));
console.assert(outcome.status === 'completed' && outcome.value.length === 5 && shown.length > 0);
console.assert(provider.problems.length === 0);
