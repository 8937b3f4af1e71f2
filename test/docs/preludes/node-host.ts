import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpHandlers } from 'runfence/http';
import { disconnectSignal, gracefulShutdown, toNodeListener } from 'runfence/node';

// include: echo-agent
const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  // The page is over when its last line is.
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};
void [createHttpHandlers, disconnectSignal, gracefulShutdown, toNodeListener, createServer, listen];
