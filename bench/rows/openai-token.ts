import { createRunControl } from 'runfence';
import { createAgentRunner } from 'runfence/agent';
import { openaiAgent } from 'runfence/openai';
import { ratio } from '../harness/figure.js';
import { clientOf, inCpuTime, WORD } from '../harness/openai.js';
import { check, type Row } from '../harness/row.js';

/** The tokens of a long answer. */
const ANSWER = 2_000;

export const row: Row = {
  title: 'a token of the openai package, through agent, fence, runner and stream',
  measure: async (bench) => {
    const bare = async (operations: number): Promise<void> => {
      const messages = [{ role: 'user' as const, content: 'hi' }];
      const stream = await clientOf(operations).chat.completions.create({ model: 'm', messages, stream: true });
      let text = '';
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
      check(text.length === operations * WORD.length, 'the whole text');
    };
    const served =
      (watch: boolean) =>
      async (operations: number): Promise<void> => {
        const control = createRunControl();
        const agent = openaiAgent({ client: clientOf(operations), model: 'm' });
        const runner = createAgentRunner(control, { agent });
        const sent = await runner.send({ sessionKey: 'chat', messages: 'hi' });
        if (sent.status !== 'started') return check(false, sent.status);
        let length = 0;
        if (watch) {
          for await (const item of sent.events() ?? [])
            if (item.type === 'event' && item.event.type === 'text') length += item.event.text.length;
          check(length === operations * WORD.length, 'the whole text');
        }
        check((await sent.outcome).status === 'completed', 'a turn that was not cut');
        await control.drain();
      };
    const [watched, alone, client] = await bench.compare([
      { name: 'openaiAgent on the runner, watched', batch: inCpuTime(served(true)), least: ANSWER },
      { name: 'openaiAgent on the runner', batch: inCpuTime(served(false)), least: ANSWER },
      { name: 'the bare openai package', batch: inCpuTime(bare), least: ANSWER },
    ]);
    return [
      ratio('published, kept and saved', alone, client, { budget: 1.5, stretch: 1.2 }),
      ratio('and read by one client, delta by delta', watched, client, { budget: 1.5, stretch: 1.2 }),
    ];
  },
};
