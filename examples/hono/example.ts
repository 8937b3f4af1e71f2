import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import { drive, type Started } from '../openai-server/drive.js';
import { createApp } from './server.js';

export const start: Parameters<typeof drive>[0] = (client, model): Started => {
  const { app, control } = createApp(client, model);
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  return { server, basePath: '/agent', control };
};

if (process.argv[1] === import.meta.filename) await drive(start);
