import { toolContextOf, withContext } from '../framework/index.js';
import type { Run } from '../index.js';
import type { AiTool, AiTools } from './sdk.js';

type Execute = (this: unknown, input: unknown, options?: { readonly toolCallId?: string }) => AsyncIterable<unknown>;

/**
 * Gates the tools of a loop of your own: each starts only while the run is current, is a leftover by its name if it goes on
 * after a stop, and may ask for its `toolContext`. Call it once a run, so that the keys of the calls are counted through.
 *
 * A tool whose `execute` is an `async function*` stays one. A function that returns a generator, as compilers make of it for
 * ES2017 and older, cannot be told from others: its call fails with `STREAM_NOT_GATED`, and `run.gateStream` is for it.
 *
 * @param run - the run that they belong to
 * @param tools - as `streamText` and `generateText` take them
 * @returns the same tools, gated
 *
 * @example
 * ```ts
 * import { tool } from 'ai';
 * import { createRunControl } from 'runfence';
 * import { gateTools } from 'runfence/ai';
 * import { z } from 'zod';
 *
 * const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: ({ city }) => `sun in ${city}` });
 * await createRunControl().run({ sessionKey: 's1' }, async (run) => {
 *   const tools = gateTools(run, { weather });
 *   console.assert((await tools.weather.execute?.({ city: 'Rome' }, { toolCallId: 'c', messages: [] })) === 'sun in Rome');
 * });
 * ```
 */
export function gateTools<T extends AiTools>(run: Run, tools: T): T {
  let calls = 0;
  const gated = (name: string, tool: AiTool): AiTool => {
    const { execute } = tool;
    if (execute === undefined) return tool;
    const call: Execute = (input, options) => {
      const { toolCallId: callId = '' } = options ?? {};
      const context = toolContextOf(run, { callId, ordinal: ++calls, name, input }, () => false);
      return Reflect.apply(execute as Execute, tool, [input, withContext(options ?? {}, context)]);
    };
    const gate = isGenerator(execute) ? run.gateStream(call, { name }) : run.gate(call, { name });
    return { ...tool, execute: gate as NonNullable<AiTool['execute']> };
  };
  return Object.fromEntries(Object.entries(tools).map(([name, tool]) => [name, gated(name, tool)])) as unknown as T;
}

function isGenerator(execute: object): boolean {
  return (execute as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag] === 'AsyncGeneratorFunction';
}
