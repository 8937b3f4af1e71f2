import { landAll } from './landings.js';
import type { AgentConformanceOptions } from './options.js';
import { SCENARIOS } from './scenarios.js';

const TIMEOUT_MS = 30_000;
const LANDINGS_MS = 600_000;

/**
 * Declares the tests that every agent must pass: yours too. Each runs the agent on a real runner, against a model on a
 * loopback port that plays a script and is as strict as the providers are. It is stopped in text, in a deaf tool, in
 * half-streamed arguments, before the first byte; taken over; steered; its model and its store fail. And it is stopped at
 * every point between the agent and what is around it. After each of them, the next turn has to go on, every call has one
 * end, what was published is what was saved, and nothing is left.
 *
 * Each name begins with a short word for its scenario, which stays the same from version to version. A scenario that an
 * agent cannot have is not declared: `skip` hears of it, and the report names it with its reason.
 *
 * @param options - the agent, the test runner, and what the agent can have
 *
 * @example
 * ```ts
 * import OpenAI from 'openai';
 * import { openaiAgent, tool } from 'runfence/openai';
 * import { agentConformance } from 'runfence/testing';
 *
 * const bodies: (() => Promise<void>)[] = [];
 * agentConformance({
 *   name: 'my agent',
 *   test: (_name, body) => bodies.push(body),
 *   afterAll: () => {},
 *   print: console.log,
 *   makeAgent: ({ baseURL, apiKey, model, tools, maxSteps }) =>
 *     openaiAgent({ client: new OpenAI({ baseURL, apiKey }), model, maxSteps, tools: tools.map((one) => tool(one)) }),
 *   share: 0.01,
 * });
 * await bodies[0]?.();
 * ```
 */
export function agentConformance<M>(options: AgentConformanceOptions<M>): void {
  const passed: string[] = [];
  const failed: string[] = [];
  const skipped: { readonly name: string; readonly reason: string }[] = [];
  let landings = 0;
  const declare = (name: string, run: () => Promise<void>, timeoutMs: number): void => {
    const body = async (): Promise<void> => {
      try {
        await run();
        passed.push(name);
      } catch (error) {
        failed.push(name);
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
      }
    };
    options.test(name, body, timeoutMs);
  };
  for (const { name, lacks, run, timeoutMs = TIMEOUT_MS } of SCENARIOS) {
    const reason = lacks?.(options);
    if (reason === undefined) {
      declare(name, () => run(options), timeoutMs);
    } else {
      skipped.push({ name, reason });
      options.skip?.(name, reason);
    }
  }
  const land = async (): Promise<void> => {
    landings = await landAll(options);
  };
  declare('landings', land, LANDINGS_MS);
  options.afterAll(() => {
    const failures = failed.length === 0 ? '' : `, ${failed.length} failed`;
    options.print(
      `conformance ${options.name}: ${passed.length} passed${failures}, ${skipped.length} skipped, ${landings} landings (share ${options.share ?? 1})`,
    );
    for (const { name, reason } of skipped) options.print(`  skipped: ${name}: ${reason}`);
  });
}
