import OpenAI from 'openai';
import type { OpenAIAgentOptions } from 'runfence/openai';
import { openaiAgent, tool } from 'runfence/openai';

type Body = () => unknown;
const bodies: Body[] = [];
const afters: Body[] = [];
const test = (_name: string, body: Body): void => void bodies.push(body);
const afterAll = (body: Body): void => void afters.push(body);
const makeMyAgent = (options: OpenAIAgentOptions) => openaiAgent({ system: 'Be brief.', ...options });
// ---
if (bodies.length < 20) throw new Error('the block declares no tests');
for (const body of bodies) await body();
for (const after of afters) after();
