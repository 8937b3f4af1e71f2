import OpenAI from 'openai';
import { createApp } from './server.js';

const { MODEL = 'gpt-4.1-mini', PORT = '8787' } = process.env;
const { app, control } = createApp(new OpenAI(), MODEL); // OPENAI_API_KEY, OPENAI_BASE_URL
const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Listening on http://127.0.0.1:${PORT}/agent/v1 (the key: ada-token)`);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close();
    void control.drain({ graceMs: 5_000 });
  });
}
