import { createAgent, createMiddleware, tool } from 'langchain';
import { langGraphAgent } from 'runfence/langgraph';
import { agentConformance } from 'runfence/testing';
import { afterAll, describe, test } from 'vitest';
import { isLong, isWhole } from '../support/proofs.js';
import { modelOn } from './support.js';

describe('langGraphAgent', () => {
  agentConformance({
    name: 'langGraphAgent',
    test: (name, body, timeoutMs) => test(name, body, timeoutMs),
    afterAll,
    print: (line) => void process.stdout.write(`${line}\n`),
    makeAgent: ({ baseURL, tools }) =>
      langGraphAgent({
        graph: ({ gate, beforeModel }) =>
          createAgent({
            model: modelOn(baseURL),
            middleware: [createMiddleware({ name: 'steering', beforeModel })],
            tools: tools.map(({ name, description, parameters, effect, needsApproval, execute }) =>
              tool(gate(execute, { name, effect, needsApproval }), { name, description, schema: parameters as never }),
            ),
          }),
      }),
    steers: true,
    asks: true,
    share: isLong ? 1 : isWhole ? 0.1 : 0.02,
  });
});
