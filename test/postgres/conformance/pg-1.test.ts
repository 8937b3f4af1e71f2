import { conformancePart } from './suite.js';

await conformancePart('pg', { part: 1, parts: 4, hasProcesses: true });
