import { createRunControl } from 'runfence';

const control = createRunControl();
const sent: string[] = [];
const written: string[] = [];
const socket = { send: (text: string) => void sent.push(text) };
const store = {
  write: async (key: string, text: string, token: number) => void written.push(`${key}:${text}:${token > 0}`),
};
const searchTheWeb = async (query: string): Promise<string> => `found ${query}`;
let stop = async (_after: string): Promise<void> => {};
const model = {
  async *stream(prompt: string, _options: { readonly signal: AbortSignal }): AsyncGenerator<string> {
    for (const word of [`${prompt}:`, ' one', ' two']) {
      yield word;
      await stop(word);
    }
  },
};
const answerIn = (sessionKey: string) => control.run({ sessionKey }, async (run) => {
// ---
});
console.assert((await answerIn('whole')).status === 'completed');
console.assert(written.join() === 'answer:found fences: one two:true' && sent.length === 3);
stop = async (after) => {
  if (after === ' one') await control.abort({ sessionKey: 'stopped' });
};
const stopped = await answerIn('stopped');
console.assert(stopped.status === 'aborted' && (await stopped.whenQuiet()).quiet);
console.assert(written.at(-1) === 'answer:found fences: one:true' && sent.length === 5);
