import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGateway, type Gateway, type GatewayOptions, gatewayMethod } from 'runfence/gateway';
import { createGatewayClient } from 'runfence/gateway/client';
import { attachGateway } from 'runfence/ws';
import { WebSocket } from 'ws';
import { z } from 'zod';

// include: echo-agent
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
void [authenticate, attach, webSocket, createGateway, gatewayMethod, createGatewayClient, z];
