/** Starts the gateway: `npm run gateway`. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp } from './app.js';
import { openModel } from './model.js';

const { PORT = '8787', HOST = '127.0.0.1', GATEWAY_TOKENS, GATEWAY_DATA } = process.env;

const model = await openModel(process.env);
const app = await startApp({
  model,
  folder: GATEWAY_DATA ?? join(tmpdir(), 'runfence-gateway'),
  port: Number(PORT),
  host: HOST,
  tokens: GATEWAY_TOKENS,
}).catch(async (error: unknown) => {
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(code === 'EADDRINUSE' ? `Port ${PORT} is taken: set PORT to another one.` : message);
  await model.close();
  process.exit(1);
});

console.log(`The page is on ${app.url}, the gateway on ${app.url.replace('http', 'ws')}/ws, model: ${model.name}.

Over HTTP, on the same runs:
  curl -N ${app.url}/v1/responses -H 'content-type: application/json' -d '{"model":"any","stream":true,"input":"Tell me about canals."}'
  curl ${app.url}/sessions

Ctrl-C stops every run, tells the clients, and closes.`);

// The first signal drains; a second one is not caught any more and ends the process at once.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log('\nDraining.');
    void app.close().then(() => model.close());
  });
}
