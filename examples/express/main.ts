import { createRunControl } from 'runfence';
import { model } from './model.js';
import { createApp } from './server.js';

const control = createRunControl({ onError: console.error });
const port = Number(process.env.PORT ?? 8787);
const server = createApp(model, control).listen(port, '127.0.0.1', () => {
  const curl = `curl -N -H 'authorization: Bearer ada-token' -H 'content-type: application/json'`;
  console.log(`Listening. Try, in two terminals:
  ${curl} -d '{"chat":"c1","text":"hello"}' http://127.0.0.1:${port}/chat
  ${curl} -d '{"chat":"c1"}' http://127.0.0.1:${port}/stop`);
});

async function shutDown(): Promise<void> {
  server.close();
  await control.drain({ graceMs: 1_000 });
  process.exit();
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void shutDown());
