import { toolContextOf, withContext } from '../framework/index.js';
import { type Run, RunfenceError } from '../index.js';
import { parsed } from './items.js';
import type { AgentsAgent, FunctionTool, Handoff } from './sdk.js';

/** What an agent may start, behind its gates. */
export interface Gates {
  tool(tool: FunctionTool, unasked: FunctionTool['needsApproval']): FunctionTool;
  handoff(name: string, invoke: Handoff['onInvokeHandoff']): Handoff['onInvokeHandoff'];
}

/**
 * A copy of an agent for one run, and of every agent that it may hand over to: their tools, those of MCP servers too, and
 * their handoffs start only while the run is current. It is for a loop of your own; `openaiAgentsAgent` does it by itself.
 * The gate is around the whole tool: its `errorFunction` would make text of a stop, which the model would answer.
 *
 * @param run - the run that they belong to
 * @param agent - the agent, which is not changed. Its hooks hear of the copy
 * @returns the copy, for `run(copy, input, { signal: run.signal })`
 * @throws `INVALID_OPTIONS`, when the run starts, for a tool that runs in this process and is no function
 */
export function gateAgent<A extends AgentsAgent>(run: Run, agent: A): A {
  let calls = 0;
  return gatedAgent(agent, {
    tool: (tool) => {
      const { name } = tool;
      const invoke: FunctionTool['invoke'] = (context, text, details) => {
        const call = { callId: details?.toolCall?.callId ?? '', ordinal: ++calls, name, input: parsed(text) };
        return tool.invoke(
          context,
          text,
          withContext(
            details ?? {},
            toolContextOf(run, call, () => false),
          ),
        );
      };
      return changed(tool, { invoke: run.gate(invoke, { name }) });
    },
    handoff: (name, invoke) => run.gate(invoke, { name }),
  });
}

export function gatedAgent<A extends AgentsAgent>(agent: A, gates: Gates): A {
  // Handoffs may go round in a circle; a tool is asked for before every request.
  const copies = new Map<AgentsAgent, AgentsAgent>();
  const tools = new Map<object, object>();
  const { needsApproval: unasked } = agent.asTool({ toolName: 'none', toolDescription: 'none' }) as FunctionTool;
  const toolOf = (tool: object): object => {
    const known = tools.get(tool);
    if (known !== undefined) return known;
    const gated = isFunctionTool(tool) ? gates.tool(tool, unasked) : elsewhere(tool);
    tools.set(tool, gated);
    return gated;
  };
  const copyOf = (original: AgentsAgent): AgentsAgent => {
    const known = copies.get(original);
    if (known !== undefined) return known;
    const copy = original.clone({ handoffOutputTypeWarningEnabled: false }) as AgentsAgent & { eventEmitter?: unknown };
    copies.set(original, copy);
    copies.set(copy, copy);
    copy.eventEmitter = (original as typeof copy).eventEmitter;
    const getAllTools = copy.getAllTools.bind(copy);
    copy.getAllTools = async (...args) => (await getAllTools(...args)).map(toolOf);
    copy.handoffs = original.handoffs.map((one) => (isHandoff(one) ? handoffOf(one) : copyOf(one as AgentsAgent)));
    return copy;
  };
  const handoffOf = (handoff: Handoff): object => {
    const invoke: Handoff['onInvokeHandoff'] = async (...args) => copyOf(await handoff.onInvokeHandoff(...args));
    return handoff.clone({ agent: copyOf(handoff.agent), onInvokeHandoff: gates.handoff(handoff.toolName, invoke) });
  };
  return copyOf(agent) as A;
}

/** The same tool with other functions. The package keeps more of it in properties that do not show. */
export function changed(tool: FunctionTool, functions: Partial<FunctionTool>): FunctionTool {
  const properties = { ...Object.getOwnPropertyDescriptors(tool), ...Object.getOwnPropertyDescriptors(functions) };
  return Object.create(Object.getPrototypeOf(tool) as object, properties) as FunctionTool;
}

function isFunctionTool(tool: object): tool is FunctionTool {
  return (tool as FunctionTool).type === 'function';
}

function isHandoff(one: object): one is Handoff {
  return typeof (one as Handoff).onInvokeHandoff === 'function';
}

const LOCAL: readonly string[] = ['shell', 'editor', 'computer', 'execute'];

/** A tool that runs at the provider ends with the request. */
function elsewhere(tool: object): object {
  const local = LOCAL.some((name) => (tool as Readonly<Record<string, unknown>>)[name] !== undefined);
  if (!local) return tool;
  const { type, name } = tool as { readonly type?: string; readonly name?: string };
  throw new RunfenceError(
    'INVALID_OPTIONS',
    `The tool "${name}" of type "${type}" runs in this process, and no gate can hold it: make it a function tool.`,
  );
}
