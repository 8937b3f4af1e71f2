import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunControl } from 'runfence';
import { type Agent, childAgent, createAgentRunner, Inbox, memoryHistory, textOf } from 'runfence/agent';

type Line = { readonly role: 'user' | 'assistant'; readonly text: string };
const dir = join(mkdtempSync(join(tmpdir(), 'history-')), 'history');
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const model = {
  async *stream(lines: readonly Line[], { signal }: { readonly signal: AbortSignal }) {
    const asked = lines.at(-1)?.text ?? '';
    for (const word of `You said: ${asked}`.split(/(?<= )/)) {
      await pause(10);
      if (signal.aborted) return;
      yield word;
    }
  },
};
const payments: string[] = [];
const pay = async (to: string): Promise<string> => {
  payments.push(to);
  return 'paid';
};
const agent: Agent<Line> = {
  format: 'lines',
  from: (messages) =>
    messages.map((message) => ({ role: message.role === 'assistant' ? 'assistant' : 'user', text: textOf(message) })),
  to: (lines) => lines.map(({ role, text }) => ({ role, content: text })),
  close: (history) => [...history],
  turn(run, { history, incoming, emit, approve, beforeUnsafe }) {
    const lines: Line[] = [];
    const inbox = new Inbox<Line>();
    const answer = async () => {
      do {
        lines.push(...inbox.take());
        const request = [...history, ...incoming, ...lines];
        let text = '';
        lines.push({ role: 'assistant', text });
        const say = (piece: string): void => {
          if (emit({ type: 'text', text: piece })) text += piece;
          lines.splice(-1, 1, { role: 'assistant', text });
        };
        const to = /^pay (\w+)$/.exec(request.at(-1)?.text ?? '')?.[1];
        if (to !== undefined) {
          const call = { callId: 'c1', name: 'pay', input: { to } };
          if ((await approve(call)).approved) {
            await beforeUnsafe();
            say(await run.gate(pay)(to));
          } else say('not paid');
          continue;
        }
        for await (const piece of run.fence(model.stream(request, { signal: run.signal }))) say(piece);
        run.throwIfStale();
      } while (!inbox.closeIfEmpty());
      return { reason: 'stop' as const };
    };
    const snapshot = () => [...lines.filter(({ text }) => text !== ''), ...inbox.peek()];
    return { done: answer(), snapshot, steer: (messages) => inbox.push(messages) };
  },
};
void [createRunControl, childAgent, createAgentRunner, memoryHistory, agent, payments];
// ---
