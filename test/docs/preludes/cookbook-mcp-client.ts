import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { createRunControl } from 'runfence';
import { z } from 'zod';

const control = createRunControl();
let told: AbortSignal | undefined;
const server = new McpServer({ name: 'server', version: '1' });
server.registerTool('search', { inputSchema: { query: z.string() } }, async (_args, { signal }) => {
  told = signal;
  void control.abort({ sessionKey: 'chat-1' });
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  return { content: [] };
});
const client = new Client({ name: 'client', version: '1' });
const [near, far] = InMemoryTransport.createLinkedPair();
await server.connect(far);
await client.connect(near);
// ---
while (told?.aborted !== true) await new Promise((resolve) => setTimeout(resolve, 1));
await client.close();
