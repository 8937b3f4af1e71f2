import { createRunControl } from 'runfence';

const control = createRunControl();
const sent: string[] = [];
const written: string[] = [];
const socket = { send: (text: string) => void sent.push(text) };
const store = { write: async (key: string, text: string, token: number) => void written.push(`${key}:${text}:${token > 0}`) };
const searchTheWeb = async (query: string): Promise<string> => `found ${query}`;
const [text, partialText] = ['whole', 'partial'];
const outcome = await control.run({ sessionKey: 'c1' }, async (run) => {
// ---
  send('hello');
  console.assert((await search('fences')) === 'found fences');
  await control.abort({ sessionKey: 'c1' });
  send('too late');
  await search('again').then(
    () => console.assert(false, 'a gated tool started after the cut'),
    (error: unknown) => console.assert((error as { started: boolean }).started === false),
  );
});
console.assert(outcome.status === 'aborted' && (await outcome.whenQuiet()).quiet);
console.assert(sent.join() === 'hello' && written.join() === 'answer:whole:true,answer:partial:true');
