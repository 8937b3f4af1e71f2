import { failures } from './suite.js';

failures('node-redis');
