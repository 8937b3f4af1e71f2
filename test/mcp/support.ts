import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

/** A client and a server that speak with each other in this process. */
export async function pair(register: (server: McpServer) => void): Promise<AsyncDisposable & { client: Client }> {
  const server = new McpServer({ name: 'server', version: '1' });
  register(server);
  const client = new Client({ name: 'client', version: '1' });
  const [near, far] = InMemoryTransport.createLinkedPair();
  await server.connect(far);
  await client.connect(near);
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

export const text = (said: string) => ({ content: [{ type: 'text' as const, text: said }] });

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
