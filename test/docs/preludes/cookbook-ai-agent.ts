import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { startModelServer } from 'runfence/testing';

await using provider = await startModelServer([
  [{ call: 'weather', input: { city: 'Oslo' } }, { call: 'pay', input: { bill: 'b1', eur: 5 } }],
  'Sun in Oslo, and the bill is paid.',
]);
const model = createOpenAICompatible({ name: 'scripted', baseURL: provider.baseURL, apiKey: 'any' })('scripted');
const keys: string[] = [];
const forecast = async (city: string, _options: { signal: AbortSignal | undefined }) => `sun in ${city}`;
const bank = {
  pay: async (_bill: string, _eur: number, { idempotencyKey }: { idempotencyKey: string; signal: AbortSignal }) => {
    keys.push(idempotencyKey);
    return 'paid';
  },
};
// ---
const answer = await runner.send({ sessionKey: 'c1', messages: 'The weather in Oslo? And pay bill b1.' });
if (answer.status !== 'started') throw new Error(answer.status);
console.assert((await answer.outcome).status === 'completed' && keys.length === 1);
const shown = await runner.messages('c1');
console.assert(JSON.stringify(shown.messages.at(-1)?.content).includes('Sun in Oslo, and the bill is paid.'));
console.assert(provider.problems.length === 0);
