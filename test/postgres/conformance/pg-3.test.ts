import { isWhole } from '../../support/proofs.js';
import { conformancePart } from './suite.js';

await conformancePart('pg', { part: 3, parts: 5, hasProcesses: isWhole });
