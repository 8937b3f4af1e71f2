import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { jsonSchema, streamText, tool } from 'ai';
import { aiAgent } from 'runfence/ai';
import { agentConformance } from 'runfence/testing';
import { afterAll, describe, test } from 'vitest';
import { isLong, isWhole } from '../support/proofs.js';

describe('aiAgent', () => {
  agentConformance({
    name: 'aiAgent',
    test: (name, body, timeoutMs) => test(name, body, timeoutMs),
    afterAll,
    print: (line) => void process.stdout.write(`${line}\n`),
    makeAgent: ({ baseURL, apiKey, model, tools, maxSteps }) =>
      aiAgent({
        streamText,
        model: createOpenAICompatible({ name: 'scripted', baseURL, apiKey, includeUsage: true })(model),
        maxSteps,
        tools: Object.fromEntries(
          tools.map(({ name, description, parameters, needsApproval, execute }) => [
            name,
            tool({ description, inputSchema: jsonSchema(parameters as object), needsApproval, execute }),
          ]),
        ),
        effects: Object.fromEntries(tools.map(({ name, effect }) => [name, effect])),
        // The AI SDK sends a request again, whatever the server says of that.
        request: { maxRetries: 0 },
      }),
    steers: true,
    asks: true,
    // A landing takes as long as the AI SDK takes to start a stream.
    share: isLong ? 1 : isWhole ? 0.3 : 0.02,
  });
});
