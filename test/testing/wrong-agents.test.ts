import OpenAI from 'openai';
import type { Run } from 'runfence';
import type { Agent, Turn, TurnInput } from 'runfence/agent';
import { type OpenAIMessage, openaiAgent, tool } from 'runfence/openai';
import { agentConformance, type ConformanceSetup } from 'runfence/testing';
import { describe, expect, test } from 'vitest';

type M = OpenAIMessage;
type Wrong = (right: Agent<M>, setup: ConformanceSetup) => Agent<M>;

function right({ baseURL, apiKey, model, tools, maxSteps }: ConformanceSetup, fetching?: typeof fetch): Agent<M> {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, ...(fetching === undefined ? {} : { fetch: fetching }) });
  return openaiAgent({ client, model, maxSteps, tools: tools.map((one) => tool(one)) });
}

/** Another turn around the right one. */
function turning(
  change: (turn: Turn<M>, run: Run) => Partial<Turn<M>>,
  onInput = (input: TurnInput<M>) => input,
): Wrong {
  return (agent) => ({
    ...agent,
    turn: (run, input) => {
      const turn = agent.turn(run, onInput(input));
      return {
        done: turn.done,
        snapshot: (cut) => turn.snapshot(cut),
        steer: (messages) => turn.steer?.(messages) === true,
        ...change(turn, run),
      };
    },
  });
}

/** A run whose members are other ones. */
function running(change: (run: Run) => object): Wrong {
  return (agent) => ({
    ...agent,
    turn: (run, input) => {
      const changed = change(run);
      const wrong = new Proxy(run, {
        get: (target, key) => {
          const value: unknown = Reflect.get(key in changed ? changed : target, key, key in changed ? changed : target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      return agent.turn(wrong, input);
    },
  });
}

const isTool = ({ role }: M): boolean => role === 'tool';

/** Faults that agents have, and a scenario that each does not get through. */
const WRONG: Readonly<Record<string, readonly [words: string, scenario: string, Wrong]>> = {
  'does not pass the signal on': [
    'is not quiet: source',
    'stop-before-first-byte',
    (_agent, setup) => right(setup, (url, init) => fetch(url, { ...init, signal: null })),
  ],
  'does not gate its tools': ['the tool is named', 'stop-in-deaf-tool', running(() => ({ gate: (fn: unknown) => fn }))],
  'takes no notice of the stop': [
    'is not quiet: work',
    'stop-in-text',
    turning((turn) => ({ done: turn.done.catch(() => new Promise<never>(() => {})) })),
  ],
  'keeps what it did not say': [
    'what is saved is what was published',
    'stop-in-text',
    turning((turn) => ({ snapshot: (cut) => [...turn.snapshot(cut), { role: 'assistant', content: 'And so on.' }] })),
  ],
  'keeps nothing at a stop': [
    'the newer turn knows',
    'takeover-in-text',
    turning((turn) => ({ snapshot: (cut) => (cut === undefined ? turn.snapshot() : []) })),
  ],
  'leaves calls open': [
    'the other is unknown',
    'stop-in-batch',
    turning((turn) => ({ snapshot: (cut) => turn.snapshot(cut).filter((message) => !isTool(message)) })),
  ],
  'says that a tool was not started that was': [
    'the result is not known',
    'stop-in-deaf-tool',
    turning((turn) => ({
      snapshot: (cut) => turn.snapshot(cut).map((one) => (isTool(one) ? { ...one, content: 'nothing happened' } : one)),
    })),
  ],
  'ends without an answer to a word that it took': [
    'what was taken is answered',
    'steer-at-the-last-step',
    turning(() => ({ steer: () => true })),
  ],
  'starts a tool without asking': [
    'a person is asked',
    'stop-in-approval',
    turning(
      () => ({}),
      (input) => ({ ...input, approve: async () => ({ approved: true }) }),
    ),
  ],
  'takes half an answer for a whole one': [
    'whose model has failed has failed',
    'model-ends-without-a-reason',
    turning((turn) => ({ done: turn.done.catch(() => ({ reason: 'stop' as const })) })),
  ],
};

/** Runs one scenario. Answers what is wrong. */
async function problemOf(
  scenario: string,
  makeAgent: (setup: ConformanceSetup) => Agent<M>,
): Promise<string | undefined> {
  const bodies = new Map<string, () => Promise<void>>();
  agentConformance({
    name: 'wrong',
    test: (name, body) => bodies.set(name, body),
    afterAll: () => {},
    print: () => {},
    makeAgent,
    steers: true,
    asks: true,
  });
  const body = bodies.get(scenario) ?? (() => Promise.reject(new Error(`there is no scenario ${scenario}`)));
  const late = new Promise<string>((resolve) => setTimeout(resolve, 4_000, 'it does not come to an end').unref());
  return Promise.race([
    body().then(
      () => undefined,
      (error: Error) => error.message,
    ),
    late,
  ]);
}

describe('the conformance suite notices an agent that', () => {
  test.each(Object.entries(WRONG))('%s', async (_fault, [words, scenario, wrong]) => {
    expect(await problemOf(scenario, (setup) => right(setup))).toBeUndefined();
    const problem = await problemOf(scenario, (setup) => wrong(right(setup), setup));
    expect(problem).toContain(words);
  });
});
