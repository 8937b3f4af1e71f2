/** Two lives of the agent on one session, without a terminal: what is said in the first is known in the second. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from './app.js';

const folder = mkdtempSync(join(tmpdir(), 'coding-agent-'));
const [workspace, state] = [join(folder, 'workspace'), join(folder, 'state')];

async function life(lines: readonly string[]): Promise<void> {
  const show = (line: string): void => console.log(`  ${line}`);
  const { chat, close } = await createApp({ workspace, state, session: 'main', show, tokenMs: 0 });
  for (const line of lines) {
    console.log(line);
    await chat.line(line);
    await chat.whenWaiting();
  }
  await close();
}

process.env.SOME_API_KEY = 'secret';
await life(['write it down', 'y', 'read it again', 'run the tests', 'y', 'run them once more', 'no']);
console.log(`notes.txt: ${readFileSync(join(workspace, 'notes.txt'), 'utf8').trim()}`);
console.log('--- the process is started again ---');
await life(['what do you remember?']);
