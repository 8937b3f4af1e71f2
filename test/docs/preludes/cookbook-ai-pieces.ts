import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { createRunControl } from 'runfence';
import { Hold, startModelServer } from 'runfence/testing';

await using provider = await startModelServer([['This is boring ', new Hold(), 'to the end.']]);
const model = createOpenAICompatible({ name: 'scripted', baseURL: provider.baseURL, apiKey: 'any' })('scripted');
const control = createRunControl();
const tools = {};
