import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

// include: echo-agent
const userOf = (headers: Headers, auth: unknown): string | undefined =>
  (auth as { token?: string } | undefined)?.token ?? headers.get('authorization')?.replace('Bearer ', '');
const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
};
void [userOf, listen];
