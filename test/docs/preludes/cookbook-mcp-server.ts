import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { createRunControl } from 'runfence';

const control = createRunControl();
async function* search(query: string, { signal }: { signal: AbortSignal }): AsyncGenerator<string> {
  yield `a.txt: ${query}`;
  if (query === 'all') await new Promise((resolve) => signal.addEventListener('abort', resolve));
}
// ---
const client = new Client({ name: 'client', version: '1' });
const [near, far] = InMemoryTransport.createLinkedPair();
await server.connect(far);
await client.connect(near);
const found = await client.callTool({ name: 'search', arguments: { query: 'otters' } });
console.assert(JSON.stringify(found).includes('a.txt: otters'), JSON.stringify(found));
const endless = client.callTool({ name: 'search', arguments: { query: 'all' } });
while (control.runs.list().length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
await control.abort('all');
console.assert(JSON.stringify(await endless).includes('[stopped: user]'));
await client.close();
