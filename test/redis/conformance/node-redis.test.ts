import { conformancePart } from './suite.js';

await conformancePart('node-redis');
