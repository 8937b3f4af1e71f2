import { OpenAIProvider } from '@openai/agents';
import OpenAI from 'openai';
import { startModelServer } from 'runfence/testing';

await using provider = await startModelServer([
  [{ call: 'weather', input: { city: 'Oslo' } }, { call: 'pay', input: { id: 'b1', eur: 5 } }],
  'Sun in Oslo, and the bill is paid.',
]);
const openAIClient = new OpenAI({ baseURL: provider.baseURL, apiKey: 'any' });
const modelProvider = new OpenAIProvider({ openAIClient: openAIClient as never, useResponses: false });
const bill = z.object({ id: z.string(), eur: z.number() });
const paid: string[] = [];
const forecast = async (city: string, _options: { signal: AbortSignal | undefined }) => `sun in ${city}`;
const bank = {
  pay: async (_id: string, _eur: number, { key }: { key: string }) => {
    paid.push(key);
    return 'paid';
  },
};
// ---
const answer = await runner.send({ sessionKey: 'c1', messages: 'The weather in Oslo? And pay bill b1.' });
if (answer.status !== 'started') throw new Error(answer.status);
console.assert((await answer.outcome).status === 'completed' && /^[\w-]{43}$/.test(paid.join()));
const shown = await runner.messages('c1');
console.assert(shown.messages.at(-1)?.content === 'Sun in Oslo, and the bill is paid.');
console.assert(provider.problems.length === 0);
