import OpenAI from 'openai';
import { gracefulShutdown } from 'runfence/node';
import { startModelServer } from 'runfence/testing';
import { type Config, readConfig } from './config.js';
import { startServer } from './server.js';

let config: Config;
try {
  config = readConfig(process.env);
} catch (error) {
  console.error((error as Error).message);
  process.exit(2);
}
const TALE = 'There was a canal, and in it a lock, and the keeper of the lock knew when to let go. '.repeat(12);
const scripted = config.api ? undefined : await startModelServer(() => TALE, { tokenMs: 50 });
const client = new OpenAI(config.api ?? { baseURL: scripted?.baseURL, apiKey: 'any' });
const { server, control, url } = await startServer(config, client);
void gracefulShutdown(control, server).done.then(() => scripted?.close());

// In double quotes, in which a shell puts the token in.
const headers = `${config.tokens ? '-H "authorization: Bearer $TOKEN" ' : ''}-H 'content-type: application/json'`;
console.log(`Listening on ${url}/v1, model: ${config.model}
${config.tokens ? '\nTOKEN is one of GATEWAY_TOKENS:\n  TOKEN=...' : ''}
Ask, and hang up with Ctrl-C: the model is stopped.
  curl -N ${url}/v1/chat/completions ${headers} \\
    -H 'x-session-key: demo' -d '{"model":"any","stream":true,"messages":[{"role":"user","content":"a tale"}]}'
Meanwhile, stop it in a second terminal:
  curl -X POST ${url}/sessions/demo/abort ${headers}`);
