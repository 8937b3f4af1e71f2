import type { Run } from 'runfence';
import {
  type Agent,
  type Call,
  closingText,
  type Finish,
  Inbox,
  type Message,
  type ToolEffect,
  type TurnInput,
  textOf,
} from 'runfence/agent';
import { type Said, transcriptProblems } from './transcript.js';

/** What a script does in one turn. */
export interface Scripted {
  readonly run: Run;
  readonly input: TurnInput<Said>;
  /** Asks the model: what it is shown is noted, and checked as a strict provider would. */
  ask(): void;
  say(text: string): boolean;
  /** A call of the model, gated; its result is what `execute` gives. */
  tool(name: string, execute: () => unknown, options?: { effect?: ToolEffect; asks?: boolean }): Promise<unknown>;
  /** A call that the client answers. */
  clientTool(callId: string, name: string): void;
  /** The decision to end: true if nothing is left to read. Otherwise the model is asked again. */
  ends(): boolean;
}

export type Script = (turn: Scripted) => Promise<unknown>;

interface ScriptedAgent extends Agent<Said> {
  /** What the model was shown, request by request. */
  readonly requests: (readonly Said[])[];
  /** What a provider would have refused. */
  readonly problems: string[];
  /** What the next turns do, in order; the last one is repeated. */
  script: Script[];
  format: string;
}

interface Entry {
  readonly message: Said;
  /** Of a call. */
  status?: 'not-started' | 'unknown' | 'done' | 'client';
  result?: string;
}

/** Says one text, and ends. */
export function says(text: string): Script {
  return async (turn) => {
    do {
      turn.ask();
      turn.say(text);
    } while (!turn.ends());
  };
}

/** An agent whose turns do what the test says, with an inbox and calls, and a model that refuses what providers refuse. */
export function scriptedAgent(...script: Script[]): ScriptedAgent {
  let calls = 0;
  const agent: ScriptedAgent = {
    format: 'scripted',
    requests: [],
    problems: [],
    script,
    from: (messages) => messages.flatMap(toSaid),
    to: (messages) => messages.map(toMessage),
    close: (history, incoming) => closed(history, incoming),
    turn(run, input) {
      const entries: Entry[] = [];
      const inbox = new Inbox<Said>();
      const own = (cut?: Parameters<typeof closingText>[1]): Said[] => [
        ...entries.flatMap((entry) => written(entry, cut)),
        ...inbox.peek(),
      ];
      const say = (text: string): boolean => {
        if (!input.emit({ type: 'text', text })) return false;
        const last = entries.at(-1)?.message;
        if (last?.who === 'agent') entries.splice(-1, 1, { message: { who: 'agent', text: last.text + text } });
        else entries.push({ message: { who: 'agent', text } });
        return true;
      };
      const turn: Scripted = {
        run,
        input,
        ask() {
          for (const message of inbox.take()) entries.push({ message });
          const request = [...input.history, ...input.incoming, ...own()];
          agent.requests.push(request);
          agent.problems.push(...transcriptProblems(request).map((problem) => `${run.id}: ${problem}`));
        },
        say,
        async tool(name, execute, { effect = 'idempotent', asks = false } = {}) {
          calls += 1;
          const call: Call = { callId: `call-${calls}`, name, input: { n: calls } };
          const entry: Entry = { message: { who: 'call', ...call }, status: 'not-started' };
          entries.push(entry);
          if (asks && !(await input.approve(call)).approved) {
            entry.status = 'done';
            entry.result = 'refused';
            return undefined;
          }
          if (effect === 'unsafe') await input.beforeUnsafe();
          const gated = run.gate(
            () => {
              entry.status = 'unknown';
              input.emit({ type: 'tool-start', effect, ...call });
              return execute();
            },
            { name },
          );
          const output = await gated();
          run.throwIfStale();
          entry.status = 'done';
          entry.result = String(output);
          input.emit({ type: 'tool-end', callId: call.callId, name, status: 'ok', output });
          return output;
        },
        clientTool(callId, name) {
          entries.push({ message: { who: 'call', callId, name, input: null }, status: 'client' });
          inbox.close();
        },
        ends: () => inbox.closeIfEmpty(),
      };
      const next = (agent.script.length > 1 ? agent.script.shift() : agent.script[0]) as Script;
      const done = Promise.resolve()
        .then(() => next(turn))
        .then((finish) => (finish ?? { reason: 'stop' }) as Finish);
      done.then(
        () => inbox.close(),
        () => inbox.close(),
      );
      return { done, snapshot: own, steer: (messages) => inbox.push(messages) };
    },
  };
  return agent;
}

function written({ message, status, result }: Entry, cut?: Parameters<typeof closingText>[1]): Said[] {
  if (message.who !== 'call' || (status === 'client' && cut === undefined)) return [message];
  const text = status === 'done' ? (result ?? '') : closingText(status === 'unknown' ? 'unknown' : 'not-started', cut);
  return [message, { who: 'result', callId: message.callId, text }];
}

function closed(history: readonly Said[], incoming: readonly Said[]): Said[] {
  const answered = new Set([...history, ...incoming].flatMap((one) => (one.who === 'result' ? [one.callId] : [])));
  return history.flatMap((message) =>
    message.who === 'call' && !answered.has(message.callId)
      ? [message, { who: 'result' as const, callId: message.callId, text: closingText('unknown') }]
      : [message],
  );
}

function toSaid(message: Message): Said[] {
  if (typeof message.content === 'string')
    return [{ who: message.role === 'assistant' ? 'agent' : 'user', text: message.content }];
  return message.content.flatMap((part): Said[] => {
    if (part.type === 'tool-result') return [{ who: 'result', callId: part.callId, text: String(part.output) }];
    if (part.type === 'tool-call') return [{ who: 'call', callId: part.callId, name: part.name, input: part.input }];
    return part.type === 'text' ? [{ who: message.role === 'assistant' ? 'agent' : 'user', text: textOf([part]) }] : [];
  });
}

function toMessage(said: Said): Message {
  if (said.who === 'call') {
    const { callId, name, input } = said;
    return { role: 'assistant', content: [{ type: 'tool-call', callId, name, input }] };
  }
  if (said.who === 'result') {
    return {
      role: 'tool',
      content: [{ type: 'tool-result', callId: said.callId, name: '', output: said.text }],
    };
  }
  return { role: said.who === 'agent' ? 'assistant' : 'user', content: said.text };
}
