import OpenAI from 'openai';
import { gracefulShutdown } from 'runfence/node';
import { startModelServer } from 'runfence/testing';
import { buildPage } from './build.js';
import { createChatServer } from './server.js';

const { OPENAI_BASE_URL, OPENAI_API_KEY, MODEL, PORT = '8787' } = process.env;
const isReal = OPENAI_BASE_URL !== undefined || OPENAI_API_KEY !== undefined;
if (isReal && MODEL === undefined)
  throw new Error('OPENAI_BASE_URL or OPENAI_API_KEY is set: MODEL must name a model.');
const TALE = 'There was a canal, and in it a lock, and the keeper of the lock knew when to let go. '.repeat(12);
const scripted = isReal ? undefined : await startModelServer(() => TALE, { tokenMs: 50 });
const client = new OpenAI({ baseURL: scripted?.baseURL ?? OPENAI_BASE_URL, apiKey: OPENAI_API_KEY ?? 'none' });

const { server, control } = createChatServer(client, MODEL ?? 'scripted', await buildPage());
void gracefulShutdown(control, server).done.then(() => scripted?.close());
server.listen(Number(PORT), '127.0.0.1', () => console.log(`Open http://127.0.0.1:${PORT}, also in a second tab.`));
