import type OpenAI from 'openai';
import { isRunAbortedError, type Run } from 'runfence';
import { spawn } from 'runfence/process';
import type { Tool, ToolContext } from './tools.js';
import type { Entry, Store } from './transcript.js';

export interface AgentOptions {
  readonly openai: OpenAI;
  readonly model: string;
  readonly tools: Readonly<Record<string, Tool>>;
  readonly transcript: Store;
}

export type Agent = (run: Run, text: string, write: (text: string) => void) => Promise<void>;

/** A plain tool loop: asks the model, runs the tools that it wants, and asks again until it has its answer. */
export function createAgent({ openai, model, tools, transcript }: AgentOptions): Agent {
  const toolList = Object.entries(tools).map(([name, { description, parameters }]) => ({
    type: 'function' as const,
    function: { name, description, parameters },
  }));

  return async function answer(run, text, write) {
    const say = run.fence(write); // once the run is stopped this does nothing, whoever calls it
    const message: Entry = { id: `${run.id}:message`, role: 'user', text, state: 'complete' };
    const reply: Entry = { id: `${run.id}:reply`, role: 'assistant', text: '', state: 'open' };

    const save = (...entries: Entry[]): Promise<void> =>
      run.commit(({ token }) => transcript.save(run.sessionKey, token, ...entries));

    // The whole answer, or what there is of it after a stop or an error: before anybody else gets this chat's lock.
    const draft = run.draft(({ token, how, reason }) => {
      reply.state = how === 'whole' ? 'complete' : (reason ?? how);
      return transcript.save(run.sessionKey, token, message, reply);
    });

    const useTool = async (name: string, input: string): Promise<string> => {
      const tool = tools[name];
      if (tool === undefined) return `There is no tool ${name}.`;
      const storeReport = (id: string, report: string): Promise<void> =>
        save({ id, role: 'report', text: report, state: 'complete' });
      const start: ToolContext['spawn'] = (command, args, options) => spawn(run, command, args, options);
      // Once the run is stopped a gated tool does not start, and nobody waits for one that is running.
      const execute = run.gate(tool.execute, { name });
      try {
        return await execute(JSON.parse(input || '{}'), { signal: run.signal, say, spawn: start, save: storeReport });
      } catch (error) {
        if (isRunAbortedError(error)) throw error; // a stop is never a tool's result
        return `The tool failed: ${String(error)}`;
      }
    };

    // The SDK sleeps before it repeats a refused request. Behind the gate it sends none after the stop.
    const client = openai.withOptions({ fetch: run.gate(fetch, { name: 'model' }) });
    const converse = async (history: readonly Entry[]): Promise<void> => {
      const messages: OpenAI.ChatCompletionMessageParam[] = [];
      for (const { role, text } of history) {
        if (role !== 'report' && text !== '') messages.push({ role, content: text });
      }
      for (;;) {
        const request = { model, messages, tools: toolList, stream: true } as const;
        const stream = await client.chat.completions.create(request, { signal: run.signal });
        const calls: OpenAI.ChatCompletionMessageFunctionToolCall[] = [];
        let content = '';
        for await (const chunk of run.fence(stream)) {
          const delta = chunk.choices[0]?.delta;
          if (delta?.content) {
            content += delta.content;
            reply.text += delta.content;
            say(delta.content);
          }
          for (const { index, id = '', function: part } of delta?.tool_calls ?? []) {
            calls[index] ??= { id, type: 'function', function: { name: '', arguments: '' } };
            calls[index].function.name += part?.name ?? '';
            calls[index].function.arguments += part?.arguments ?? '';
          }
        }
        if (calls.length === 0) return;
        messages.push({ role: 'assistant', content, tool_calls: calls });
        for (const call of calls) {
          const result = await useTool(call.function.name, call.function.arguments);
          messages.push({ role: 'tool', tool_call_id: call.id, content: result });
        }
      }
    };

    // A page that is loaded meanwhile shows the message, and a crash does not lose it. So it is not left to the draft.
    await save(message);
    const history = await run.read(() => transcript.read(run.sessionKey)); // after the previous run has saved
    await converse(history);
    await draft.commit();
  };
}
