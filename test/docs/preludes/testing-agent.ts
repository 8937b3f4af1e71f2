import OpenAI from 'openai';
import { memory } from 'runfence/backend';
import { createRunControl, type RunControlOptions } from 'runfence';
import { type Agent, createAgentRunner, type History } from 'runfence/agent';
import type { OpenAIAgentOptions } from 'runfence/openai';
import { openaiAgent, tool } from 'runfence/openai';

type Body = () => unknown;
const bodies: Body[] = [];
const afters: Body[] = [];
const test = (_name: string, body: Body): void => void bodies.push(body);
const afterAll = (body: Body): void => void afters.push(body);
const makeMyAgent = (options: OpenAIAgentOptions) => openaiAgent({ system: 'Be brief.', ...options });
function makeMyServer<M>({ agent, history, ...options }: RunControlOptions & { agent: Agent<M>; history: History }) {
  const control = createRunControl({ backend: memory(), ...options });
  return { control, runner: createAgentRunner(control, { agent, history, whenUnwatched: 'continue' }) };
}
// ---
if (bodies.length < 20) throw new Error('the block declares no tests');
for (const body of bodies) await body();
for (const after of afters) after();
