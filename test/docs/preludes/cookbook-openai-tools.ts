import OpenAI from 'openai';
import { createRunControl, isRunAbortedError, type Run } from 'runfence';
import { startModelServer } from '../../examples/quickstart/model-server.js';

const provider = await startModelServer({ tokensPerSecond: 1_000 });
const openai = new OpenAI({ baseURL: provider.baseURL, apiKey: 'none' });
const model = 'scripted';
const control = createRunControl();
const called: string[] = [];
let during = async (): Promise<void> => {};
const tools = {
  list: ['current_time', 'write_report'].map((name) => ({ type: 'function' as const, function: { name } })),
  async call({ name }: { readonly name: string }, _signal: AbortSignal): Promise<string> {
    called.push(name);
    await during();
    if (name === 'current_time' && called.length > 1) throw new Error('no clock');
    return 'noon';
  },
};
// ---
const ask = (text: string) =>
  control.run({ sessionKey: 'c1' }, (run) => converse(run, [{ role: 'user', content: text }]));
const whole = await ask('What time is it?');
console.assert(whole.status === 'completed' && whole.value.includes('noon'));
const failed = await ask('What time is it?');
console.assert(failed.status === 'completed' && failed.value.includes('The tool failed: no clock'));

called.length = 0;
const before = provider.calls.length;
during = async () => void (await control.abort({ sessionKey: 'c1' }));
const stopped = await ask('Please write a report.');
await new Promise((resolve) => setTimeout(resolve, 30));
console.assert(stopped.status === 'aborted' && called.join() === 'write_report'); // of two that the model wanted
console.assert(provider.calls.length === before + 1); // and it was not asked again
await provider.close();
