import { Redis } from 'ioredis';

const client = new Redis();
// ---
client.disconnect();
