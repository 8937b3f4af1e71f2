import { createRunControl } from 'runfence';
import { type Agent, createAgentRunner, textOf } from 'runfence/agent';

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
void [control, runner];
