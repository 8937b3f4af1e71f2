import { createRunControl } from 'runfence';
import { type Agent, createAgentRunner } from 'runfence/agent';
import { ratio } from '../harness/figure.js';
import { inCpuTime, WORD } from '../harness/openai.js';
import { check, type Row } from '../harness/row.js';

/** The tokens of a long answer. */
const ANSWER = 2_000;

export interface TokenRow<M> {
  readonly title: string;
  /** The name of the agent, and that of what it stands on. */
  readonly agent: string;
  readonly bare: string;
  /** An agent whose model says so many tokens. */
  readonly agentOf: (count: number) => Agent<M>;
  /** The same without runfence: the text. */
  readonly textOf: (count: number) => Promise<string>;
}

/** What a token costs through agent, fence, runner and stream, beside the framework alone. */
export function tokenRow<M>({ title, agent, bare, agentOf, textOf }: TokenRow<M>): Row {
  return {
    title,
    measure: async (bench) => {
      const alone = async (operations: number): Promise<void> => {
        check((await textOf(operations)).length === operations * WORD.length, 'the whole text');
      };
      const served =
        (watch: boolean) =>
        async (operations: number): Promise<void> => {
          const control = createRunControl();
          const runner = createAgentRunner(control, { agent: agentOf(operations) });
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
      const [watched, unwatched, framework] = await bench.compare([
        { name: `${agent} on the runner, watched`, batch: inCpuTime(served(true)), least: ANSWER },
        { name: `${agent} on the runner`, batch: inCpuTime(served(false)), least: ANSWER },
        { name: bare, batch: inCpuTime(alone), least: ANSWER },
      ]);
      return [
        ratio('published, kept and saved', unwatched, framework, { budget: 1.5, stretch: 1.2 }),
        ratio('and read by one client, delta by delta', watched, framework, { budget: 1.5, stretch: 1.2 }),
      ];
    },
  };
}
