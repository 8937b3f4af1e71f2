import { type Agent, OpenAIProvider, Runner } from '@openai/agents';
import OpenAI from 'openai';
import { type OpenAIAgentsOptions, openaiAgentsAgent } from 'runfence/openai-agents';
import { type ModelScript, startModelServer } from 'runfence/testing';
import { type Stage, stageOf } from '../agent/support/framework-stage.js';

export { endsOf, pending, textsOf, until } from '../agent/support/framework-stage.js';

/** A runner whose model is the scripted one, by chat completions. */
export function runnerOn(baseURL: string, config: object = {}): Runner {
  const openAIClient = new OpenAI({ baseURL, apiKey: 'any', maxRetries: 0 });
  // The package may have a copy of the client of its own.
  const modelProvider = new OpenAIProvider({ openAIClient: openAIClient as never, useResponses: false });
  return new Runner({ modelProvider, model: 'scripted', tracingDisabled: true, ...config });
}

type Options = Omit<OpenAIAgentsOptions, 'agent' | 'runner'> & { readonly config?: object };

export async function stage(script: ModelScript, agent: Agent, { config, ...options }: Options = {}): Promise<Stage> {
  const model = await startModelServer(script);
  return stageOf(model, openaiAgentsAgent({ agent, runner: runnerOn(model.baseURL, config), ...options }));
}
