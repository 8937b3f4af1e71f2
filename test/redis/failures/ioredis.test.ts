import { failures } from './suite.js';

failures('ioredis');
