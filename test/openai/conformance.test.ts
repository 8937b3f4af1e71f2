import OpenAI from 'openai';
import { openaiAgent, tool } from 'runfence/openai';
import { agentConformance } from 'runfence/testing';
import { afterAll, describe, test } from 'vitest';
import { isWhole } from '../support/proofs.js';

describe('openaiAgent', () => {
  agentConformance({
    name: 'openaiAgent',
    test: (name, body, timeoutMs) => test(name, body, timeoutMs),
    afterAll,
    print: (line) => void process.stdout.write(`${line}\n`),
    makeAgent: ({ baseURL, apiKey, model, tools, maxSteps }) =>
      openaiAgent({
        client: new OpenAI({ baseURL, apiKey }),
        model,
        maxSteps,
        tools: tools.map(({ name, description, parameters, effect, needsApproval, execute }) =>
          tool({ name, description, parameters, effect, needsApproval, execute }),
        ),
      }),
    steers: true,
    asks: true,
    share: isWhole ? 1 : 0.1,
  });
});
