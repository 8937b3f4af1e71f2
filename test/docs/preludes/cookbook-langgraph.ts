import { ChatOpenAI } from '@langchain/openai';
import { startModelServer } from 'runfence/testing';

await using provider = await startModelServer([
  [{ call: 'weather', input: { city: 'Oslo' } }, { call: 'pay', input: { id: 'b1', eur: 5 } }],
  'Sun in Oslo, and the bill is paid.',
]);
const model = new ChatOpenAI({ model: 'scripted', apiKey: 'any', configuration: { baseURL: provider.baseURL } });
const paid: string[] = [];
const forecast = async (city: string, _options: { signal: AbortSignal }) => `sun in ${city}`;
const bank = {
  pay: async (id: string, _eur: number, { key }: { key: string }) => {
    console.assert(/^[\w-]{43}$/.test(key));
    paid.push(id);
    return 'paid';
  },
};
// ---
const answer = await runner.send({ sessionKey: 'c1', messages: 'The weather in Oslo? And pay bill b1.' });
if (answer.status !== 'started') throw new Error(answer.status);
console.assert((await answer.outcome).status === 'completed' && paid.join() === 'b1');
const shown = await runner.messages('c1');
console.assert(shown.messages.at(-1)?.content === 'Sun in Oslo, and the bill is paid.');
console.assert(provider.problems.length === 0);
