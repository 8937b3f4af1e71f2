import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunControl } from 'runfence';
import { type Agent, createAgentRunner, textOf } from 'runfence/agent';
import { createHttpHandlers } from 'runfence/http';
import { disconnectSignal, gracefulShutdown, toNodeListener } from 'runfence/node';

type Line = { readonly role: 'user' | 'assistant'; readonly text: string };
const agent: Agent<Line> = {
  format: 'lines',
  from: (messages) =>
    messages.map((message) => ({ role: message.role === 'assistant' ? 'assistant' : 'user', text: textOf(message) })),
  to: (lines) => lines.map(({ role, text }) => ({ role, content: text })),
  close: (history) => [...history],
  turn(run, { incoming, emit }) {
    let answer = '';
    const work = async () => {
      for (const word of `You said: ${incoming.at(-1)?.text ?? ''}`.split(/(?<= )/)) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        run.throwIfStale();
        if (emit({ type: 'text', text: word })) answer += word;
      }
      return { reason: 'stop' as const };
    };
    return { done: work(), snapshot: () => (answer === '' ? [] : [{ role: 'assistant', text: answer }]) };
  },
};
const control = createRunControl();
const runner = createAgentRunner(control, { agent });
const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  // The page is over when its last line is.
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
void [createHttpHandlers, disconnectSignal, gracefulShutdown, toNodeListener, createServer, control, runner, listen];
