import { ChatOpenAI } from '@langchain/openai';
import { type LangGraphAgentOptions, langGraphAgent } from 'runfence/langgraph';
import { type ModelScript, startModelServer } from 'runfence/testing';
import { type Stage, stageOf } from '../agent/support/framework-stage.js';

export { endsOf, pending, textsOf, until } from '../agent/support/framework-stage.js';

export function modelOn(baseURL: string): ChatOpenAI {
  return new ChatOpenAI({
    model: 'scripted',
    apiKey: 'any',
    maxRetries: 0,
    configuration: { baseURL },
  });
}

type Setup = Parameters<LangGraphAgentOptions['graph']>[0] & { readonly model: ChatOpenAI };

export async function stage(
  script: ModelScript,
  graph: (setup: Setup) => ReturnType<LangGraphAgentOptions['graph']>,
  options: Omit<LangGraphAgentOptions, 'graph'> = {},
): Promise<Stage> {
  const model = await startModelServer(script);
  const made = langGraphAgent({ graph: (setup) => graph({ ...setup, model: modelOn(model.baseURL) }), ...options });
  return stageOf(model, made);
}
