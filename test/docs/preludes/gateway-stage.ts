import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunControl } from 'runfence';
import { type Agent, createAgentRunner, textOf } from 'runfence/agent';
import { createGateway, type Gateway, type GatewayOptions, gatewayMethod } from 'runfence/gateway';
import { createGatewayClient } from 'runfence/gateway/client';
import { attachGateway } from 'runfence/ws';
import { WebSocket } from 'ws';
import { z } from 'zod';

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
const authenticate: GatewayOptions['authenticate'] = ({ auth }) => {
  const userId = (auth as { token?: string } | undefined)?.token;
  return userId === undefined ? undefined : { principal: { userId } };
};
const attach = async (gateway: Pick<Gateway, 'accept' | 'isFull' | 'limits' | 'clock'>): Promise<string> => {
  const server = createServer();
  attachGateway(server, gateway);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
};
const webSocket = (url: string): WebSocket => new WebSocket(url);
const runner = createAgentRunner(createRunControl(), { agent });
void [runner, authenticate, attach, webSocket, createGateway, gatewayMethod, createGatewayClient, z];
