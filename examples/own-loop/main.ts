import { createRunControl } from 'runfence';
import { gracefulShutdown } from 'runfence/node';
import { login } from './login.js';
import { model } from './model.js';
import { createApp } from './server.js';
import { memoryStore } from './store.js';

const control = createRunControl({ onError: console.error });
const port = Number(process.env.PORT ?? 8787);
const server = createApp({ model, login, store: memoryStore(), control }).listen(port, '127.0.0.1', () => {
  const curl = `curl -N -H 'authorization: Bearer ada-token' -H 'content-type: application/json'`;
  console.log(`Listening. Try, in two terminals:
  ${curl} -d '{"id":"m1","text":"hello"}' http://127.0.0.1:${port}/chats/c1
  ${curl} -X POST http://127.0.0.1:${port}/chats/c1/stop`);
});
gracefulShutdown(control, server, { graceMs: 1_000 });
