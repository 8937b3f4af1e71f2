import { createServer } from 'node:http';
import { drive, type Started } from '../openai-server/drive.js';
import { createApp } from './server.js';

export const start: Parameters<typeof drive>[0] = (client, model): Started => {
  const { app, control } = createApp(client, model);
  return { server: createServer(app).listen(0, '127.0.0.1'), basePath: '/agent', control };
};

if (process.argv[1] === import.meta.filename) await drive(start);
