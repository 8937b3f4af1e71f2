import OpenAI from 'openai';
import { createRunControl } from 'runfence';
import { createAgentRunner, type Sent } from 'runfence/agent';
import { openaiAgent, tool } from 'runfence/openai';
import { type ModelRequest, startModelServer } from 'runfence/testing';
import { Gate } from './gate.js';

/** Where the scene tells what happens. */
interface Stage {
  scene(title: string): void;
  event(who: string, what: string): void;
  check(held: boolean, claim: string, evidence: string): void;
}

const CHAT = 'alice/bill';

/**
 * An agent on the runner, and a model that is as strict as a provider: a message takes over while a tool is at work that does
 * not hear of it, and the next turn's model is shown what was cut.
 */
export async function agentScene(stage: Stage): Promise<void> {
  stage.scene('8  A takeover in mid-tool, and what the next model is shown');
  const [bank, model] = [new Gate(), await startModelServer(replyTo)];
  const control = createRunControl({ defaults: { graceMs: 500 } });
  let paid = 0;
  const pay = tool({
    name: 'pay_bill',
    // It has no ear for its signal, and the bank takes its time.
    execute: async () => {
      stage.event('tool', 'pay_bill started');
      await bank.pass();
      paid += 1;
      stage.event('tool', 'pay_bill ended');
      return 'The bill is paid.';
    },
  });
  const client = new OpenAI({ baseURL: model.baseURL, apiKey: 'any' });
  const runner = createAgentRunner(control, { agent: openaiAgent({ client, model: 'scripted', tools: [pay] }) });
  const say = async (messages: string): Promise<Sent> => {
    stage.event('alice', `says "${messages}"`);
    const sent = await runner.send({ sessionKey: CHAT, messages });
    if ('outcome' in sent) return sent;
    throw new Error(sent.status);
  };

  try {
    const first = await say('Please pay my bill.');
    await bank.reached;
    const at = performance.now();
    const second = await say('No, wait. Which bill is it?');
    const cut = await first.outcome;
    const tookMs = performance.now() - at;
    stage.event('runner', `the first turn is ${'reason' in cut ? cut.reason : cut.status}`);
    const answered = await second.outcome;
    stage.event('model', 'has answered the second message');
    const isDeaf = paid === 0;
    bank.open();
    const receipt = await control.abort({ runId: first.runId });
    const { runs } = await receipt.whenQuiet();

    const isCut = cut.status === 'aborted' && cut.reason === 'superseded' && isDeaf;
    stage.check(isCut, 'the first turn is over while its tool still runs', `${tookMs.toFixed(1)} ms after the message`);
    stage.check(answered.status === 'completed', 'and the second is answered meanwhile', answered.status);
    const shown = resultOf(model.requests.at(-1));
    const isTold = shown.startsWith('[no result') && shown.includes('may have taken effect');
    stage.check(isTold, 'its model is shown that the bill may be paid', shown.slice(0, 46));
    const requests = model.requests.length;
    stage.check(requests === 2, "the tool's late result wakes no model", `${requests} requests, ${paid} bill paid`);
    const isValid = model.problems.length === 0;
    stage.check(isValid, 'no provider would refuse what was left', `${model.problems.length} problems`);
    const { messages } = await runner.messages(CHAT);
    const states = messages.map(({ state }) => state);
    const kept = states.includes('cut') && states.at(-1) === 'whole';
    stage.check(kept, 'what was cut is kept, and so is the answer', states.join(', '));
    stage.check(
      runs.every(({ leftovers }) => leftovers.length === 0),
      'and nothing is left of it in the end',
      'no leftover',
    );
  } finally {
    bank.open();
    await control.drain();
    await model.close();
  }
}

function replyTo({ messages }: ModelRequest): ReturnType<typeof reply> {
  return reply(JSON.stringify(messages.at(-1)?.content));
}

function reply(words: string): string | readonly (string | { readonly call: string })[] {
  return words.includes('Please pay') ? ['I pay it. ', { call: 'pay_bill' }] : 'The one of the canal company.';
}

/** What the model is told of the call. */
function resultOf(request: ModelRequest | undefined): string {
  return String(request?.messages.find(({ role }) => role === 'tool')?.content ?? 'nothing');
}
