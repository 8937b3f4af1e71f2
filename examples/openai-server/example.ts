import { readConfig } from './config.js';
import { drive, type Started } from './drive.js';
import { startServer } from './server.js';

const GATEWAY_TOKENS = JSON.stringify({ 'ada-token': { userId: 'ada' }, 'eve-token': { userId: 'eve' } });

export const start: Parameters<typeof drive>[0] = async (client, model): Promise<Started> => {
  const { server, control } = await startServer({ ...readConfig({ GATEWAY_TOKENS, PORT: '0' }), model }, client);
  return { server, basePath: '', control };
};

if (process.argv[1] === import.meta.filename) await drive(start);
