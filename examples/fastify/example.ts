import { drive, type Started } from '../openai-server/drive.js';
import { createApp } from './server.js';

export const start: Parameters<typeof drive>[0] = async (client, model): Promise<Started> => {
  const { app, control } = createApp(client, model);
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { server: app.server, basePath: '/agent', control };
};

if (process.argv[1] === import.meta.filename) await drive(start);
