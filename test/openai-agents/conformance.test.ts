import { Agent, tool } from '@openai/agents';
import { openaiAgentsAgent } from 'runfence/openai-agents';
import { agentConformance } from 'runfence/testing';
import { afterAll, describe, test } from 'vitest';
import { isLong, isWhole } from '../support/proofs.js';
import { runnerOn } from './support.js';

describe('openaiAgentsAgent', () => {
  agentConformance({
    name: 'openaiAgentsAgent',
    test: (name, body, timeoutMs) => test(name, body, timeoutMs),
    afterAll,
    print: (line) => void process.stdout.write(`${line}\n`),
    makeAgent: ({ baseURL, tools, maxSteps }) =>
      openaiAgentsAgent({
        agent: new Agent({
          name: 'assistant',
          tools: tools.map(({ name, description, parameters, needsApproval, execute }) =>
            tool({ name, description, parameters: parameters as never, strict: false, needsApproval, execute }),
          ),
        }),
        runner: runnerOn(baseURL),
        maxTurns: maxSteps,
        effects: Object.fromEntries(tools.map(({ name, effect }) => [name, effect])),
      }),
    steers: true,
    asks: true,
    share: isLong ? 1 : isWhole ? 0.1 : 0.02,
  });
});
