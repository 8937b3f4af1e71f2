import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { createRunControl } from 'runfence';
import { z } from 'zod';

const control = createRunControl();
const begun = control.runs.beginSync({ sessionKey: 's1' });
if (begun.status !== 'started') throw new Error(begun.status);
const { run } = begun;
const server = new McpServer({ name: 'server', version: '1' });
server.registerTool('search', { inputSchema: { query: z.string() } }, async ({ query }, { signal }) => {
  if (query === 'all') await new Promise((resolve) => signal.addEventListener('abort', resolve));
  return { content: [{ type: 'text', text: query }] };
});
const client = new Client({ name: 'client', version: '1' });
const [near, far] = InMemoryTransport.createLinkedPair();
await server.connect(far);
await client.connect(near);
// ---
console.assert(JSON.stringify((await search('otters')).content).includes('otters'));
const stopped = search('all').catch((error: { code: string }) => error.code);
await new Promise((resolve) => setTimeout(resolve, 5));
await control.abort({ sessionKey: 's1' });
console.assert((await stopped) === 'RUN_ABORTED');
run.complete();
await client.close();
