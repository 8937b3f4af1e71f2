import { isLong } from '../../support/proofs.js';
import { conformancePart } from './suite.js';

await conformancePart('postgres.js', { part: 1, parts: 2, hasProcesses: isLong });
