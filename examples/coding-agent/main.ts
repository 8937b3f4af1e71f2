/** A coding agent in the terminal: `npm start -w examples/coding-agent -- --workspace . --session main`. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { createApp } from './app.js';
import { Terminal } from './terminal.js';

const { values } = parseArgs({
  options: { workspace: { type: 'string' }, session: { type: 'string' }, state: { type: 'string' } },
});
const options = {
  workspace: values.workspace ?? process.env.INIT_CWD ?? process.cwd(),
  state: values.state ?? join(homedir(), '.local', 'state', 'runfence-coding-agent'),
  session: values.session ?? 'main',
};

if (process.stdin.isTTY) {
  const terminal = new Terminal();
  const app = await createApp({ ...options, show: (line) => terminal.show(line) });
  await terminal.serve(app.chat);
  await app.close();
} else {
  // Piped: a line is said when the one before it is answered.
  const app = await createApp({ ...options, show: (line) => console.log(line) });
  for await (const line of createInterface({ input: process.stdin })) {
    await app.chat.line(line);
    await app.chat.whenWaiting();
  }
  await app.close();
}
// A tool that is deaf would hold the process up.
process.exit();
