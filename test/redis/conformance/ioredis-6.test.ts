import { conformancePart } from './suite.js';

await conformancePart('ioredis', 6);
