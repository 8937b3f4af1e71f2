import type { Agent } from 'runfence/agent';
import type { ConformanceSetup } from 'runfence/testing';

/** Makes an agent on a scripted model. A framework is loaded by whoever asks for it. */
export type Maker = (setup: ConformanceSetup) => Promise<Agent<unknown>>;

async function openai({ baseURL, apiKey, model, tools, maxSteps }: ConformanceSetup): Promise<Agent<unknown>> {
  const { default: OpenAI } = await import('openai');
  const { openaiAgent, tool } = await import('runfence/openai');
  return openaiAgent({
    client: new OpenAI({ baseURL, apiKey }),
    model,
    maxSteps,
    tools: tools.map((one) => tool({ ...one })),
  }) as Agent<unknown>;
}

async function ai({ baseURL, apiKey, model, tools, maxSteps }: ConformanceSetup): Promise<Agent<unknown>> {
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
  const { jsonSchema, streamText, tool } = await import('ai');
  const { aiAgent } = await import('runfence/ai');
  const made = tools.map(({ name, description, parameters, needsApproval, execute }) => [
    name,
    tool({ description, inputSchema: jsonSchema(parameters as object), needsApproval, execute }),
  ]);
  return aiAgent({
    streamText,
    model: createOpenAICompatible({ name: 'scripted', baseURL, apiKey })(model),
    maxSteps,
    tools: Object.fromEntries(made),
    effects: Object.fromEntries(tools.map(({ name, effect }) => [name, effect])),
    request: { maxRetries: 0 },
  }) as Agent<unknown>;
}

async function openaiAgents({ baseURL, apiKey, model, tools, maxSteps }: ConformanceSetup): Promise<Agent<unknown>> {
  const { default: OpenAI } = await import('openai');
  const { Agent: AgentOf, OpenAIProvider, Runner, tool } = await import('@openai/agents');
  const { openaiAgentsAgent } = await import('runfence/openai-agents');
  const openAIClient = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  // The package may have a copy of the client of its own.
  const modelProvider = new OpenAIProvider({ openAIClient: openAIClient as never, useResponses: false });
  const made = tools.map(({ name, description, parameters, needsApproval, execute }) =>
    tool({ name, description, parameters: parameters as never, strict: false, needsApproval, execute }),
  );
  return openaiAgentsAgent({
    agent: new AgentOf({ name: 'assistant', tools: made }),
    runner: new Runner({ modelProvider, model, tracingDisabled: true }),
    maxTurns: maxSteps,
    effects: Object.fromEntries(tools.map(({ name, effect }) => [name, effect])),
  }) as Agent<unknown>;
}

async function langGraph({ baseURL, apiKey, model, tools }: ConformanceSetup): Promise<Agent<unknown>> {
  const { ChatOpenAI } = await import('@langchain/openai');
  const { createAgent, createMiddleware, tool } = await import('langchain');
  const { langGraphAgent } = await import('runfence/langgraph');
  const chat = new ChatOpenAI({ model, apiKey, maxRetries: 0, configuration: { baseURL } });
  return langGraphAgent({
    graph: ({ gate, beforeModel }) =>
      createAgent({
        model: chat,
        middleware: [createMiddleware({ name: 'steering', beforeModel })],
        tools: tools.map(({ name, description, parameters, effect, needsApproval, execute }) =>
          tool(gate(execute, { name, effect, needsApproval }), { name, description, schema: parameters as never }),
        ),
      }),
  }) as Agent<unknown>;
}

export const makers: Readonly<Record<string, Maker>> = {
  openaiAgent: openai,
  aiAgent: ai,
  openaiAgentsAgent: openaiAgents,
  langGraphAgent: langGraph,
};
