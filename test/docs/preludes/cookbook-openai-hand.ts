import OpenAI from 'openai';
import { createRunControl, type Run } from 'runfence';
import { startModelServer } from 'runfence/testing';

await using provider = await startModelServer([['I look. ', { call: 'look' }], 'I saw it.']);
const openai = new OpenAI({ baseURL: provider.baseURL, apiKey: 'any' });
const model = 'scripted';
const tools = {
  list: [{ type: 'function' as const, function: { name: 'look' } }],
  call: async (_call: { name: string; text: string }): Promise<string> => 'seen',
};
const textOf = (result: PromiseSettledResult<string> | undefined): string =>
  result?.status === 'fulfilled' ? result.value : `error: ${result?.reason}`;
// ---
const control = createRunControl();
const outcome = await control.run({ sessionKey: 'c1' }, async (run) => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Look.' }];
  do messages.push(...(await step(run, messages)));
  while (messages.at(-1)?.role === 'tool');
  return messages.at(-1)?.content;
});
console.assert(outcome.status === 'completed' && outcome.value === 'I saw it.');
console.assert(provider.problems.length === 0);
