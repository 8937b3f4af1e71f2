import OpenAI from 'openai';
import { createRunControl } from 'runfence';
import { createAgentRunner } from 'runfence/agent';
import { openaiAgent, tool } from 'runfence/openai';
import { startModelServer } from 'runfence/testing';

await using provider = await startModelServer([[{ call: 'pay' }], 'I do not know whether it was paid.']);
const control = createRunControl();
let asked!: () => void;
let answers!: (result: string) => void;
const isAsked = new Promise<void>((resolve) => {
  asked = resolve;
});
const answered = new Promise<string>((resolve) => {
  answers = resolve;
});
const bank = { isAsked, answers };
const pay = tool({
  name: 'pay',
  execute: () => {
    asked();
    return answered;
  },
});
const client = new OpenAI({ baseURL: provider.baseURL, apiKey: 'any' });
const runner = createAgentRunner(control, { agent: openaiAgent({ client, model: 'scripted', tools: [pay] }) });
// ---
console.assert('outcome' in sent && (await sent.outcome).status === 'aborted');
const next = await runner.send({ sessionKey: 'chat-1', messages: 'Was it paid?' });
console.assert('outcome' in next && (await next.outcome).status === 'completed');
const told = provider.requests[1]?.messages.find(({ role }) => role === 'tool')?.content;
console.assert(String(told).includes('It may have taken effect'));
