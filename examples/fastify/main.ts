import OpenAI from 'openai';
import { gracefulShutdown } from 'runfence/node';
import { createApp } from './server.js';

const { MODEL = 'gpt-4.1-mini', PORT = '8787' } = process.env;
const { app, control } = createApp(new OpenAI(), MODEL); // OPENAI_API_KEY, OPENAI_BASE_URL
const { done } = gracefulShutdown(control, app.server);
await app.listen({ port: Number(PORT), host: '127.0.0.1' });
console.log(`Listening on http://127.0.0.1:${PORT}/agent/v1 (the key: ada-token)`);
await done;
await app.close(); // the hooks of plugins
