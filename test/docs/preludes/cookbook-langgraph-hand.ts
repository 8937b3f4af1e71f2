import { type BaseCheckpointSaver, MemorySaver } from '@langchain/langgraph';
import { ChatOpenAI } from '@langchain/openai';
import { createAgent, tool } from 'langchain';
import { createRunControl } from 'runfence';
import { startModelServer } from 'runfence/testing';
import { z } from 'zod';

await using provider = await startModelServer([[{ call: 'look' }], 'I do not know what there was.']);
const model = new ChatOpenAI({ model: 'scripted', apiKey: 'any', configuration: { baseURL: provider.baseURL } });
const control = createRunControl();
const saver = new MemorySaver();
let begun!: () => void;
let seen!: (what: string) => void;
const isAsked = new Promise<void>((resolve) => {
  begun = resolve;
});
const looking = new Promise<string>((resolve) => {
  seen = resolve;
});
const look = async (): Promise<string> => {
  begun();
  return await looking;
};
const build = (checkpointer: BaseCheckpointSaver, execute: () => Promise<string>) =>
  createAgent({ model, checkpointer, tools: [tool(execute, { name: 'look', description: 'Looks.', schema: z.object({}) })] });
const show = (_chunk: unknown) => {};
// ---
const first = turn('t1', 'Look.');
await isAsked;
const receipt = await control.abort({ sessionKey: 't1' });
console.assert((await first).status === 'aborted');
seen('something');
await receipt.whenQuiet();
const second = await turn('t1', 'What was there?');
console.assert(second.status === 'completed', second.status);
console.assert(provider.problems.length === 0);
