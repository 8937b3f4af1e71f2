import type { Receipt, RunControl } from 'runfence';
import {
  type Agent,
  type AgentEvent,
  type AgentRunner,
  createAgentRunner,
  type Message,
  type SendOptions,
  type Sent,
} from 'runfence/agent';
import type { ModelServer } from 'runfence/testing';
import { expect } from 'vitest';
import { tracked } from '../../support/tracked.js';

/** A turn on its way, with what it has said. */
export interface Turn {
  readonly sent: Sent;
  readonly events: AgentEvent[];
  readonly heard: Promise<void>;
}

export interface Stage extends AsyncDisposable {
  readonly model: ModelServer;
  readonly control: RunControl;
  readonly runner: AgentRunner;
  send(text: string, options?: Partial<SendOptions>): Promise<Turn>;
  /** Sends, and waits for its end. */
  done(text: string, options?: Partial<SendOptions>): Promise<Turn>;
  stop(turn: Turn): Promise<Receipt>;
  shown(): Promise<readonly Message[]>;
}

/** A runner for the agent of a framework, whose model is the scripted one. */
export function stageOf<M>(model: ModelServer, agent: Agent<M>): Stage {
  const { control, errors } = tracked();
  const runner = createAgentRunner(control, { agent });
  const send = async (text: string, more: Partial<SendOptions> = {}): Promise<Turn> => {
    const sent = await runner.send({ sessionKey: 's', messages: text, ...more });
    if (sent.status !== 'started') throw new Error(`not started: ${sent.status}`);
    const events: AgentEvent[] = [];
    const listen = async (): Promise<void> => {
      for await (const item of sent.events() ?? []) if (item.type === 'event') events.push(item.event);
    };
    return { sent, events, heard: listen() };
  };
  return {
    model,
    control,
    runner,
    send,
    done: async (text, more) => {
      const turn = await send(text, more);
      await turn.sent.outcome;
      await turn.sent.whenSaved();
      await turn.heard;
      return turn;
    },
    stop: async ({ sent }) => {
      const receipt = await control.abort({ runId: sent.runId }, { reason: 'user' });
      await sent.whenSaved();
      return receipt;
    },
    shown: async () => (await runner.messages('s')).messages.map(({ role, content }) => ({ role, content })),
    [Symbol.asyncDispose]: async () => {
      await model.close();
      expect(model.problems).toEqual([]);
      expect(errors).toEqual([]);
    },
  };
}

export const textsOf = ({ events }: Turn): string =>
  events.map((event) => (event.type === 'text' ? event.text : '')).join('');

export const endsOf = ({ events }: Turn): unknown[] =>
  events.flatMap((event) => (event.type === 'tool-end' ? [[event.name, event.status, event.output]] : []));

/** Waits for what is sure to come; the test's own time is the limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A promise that the test settles. */
export function pending<T = void>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
