// A process, or a worker thread, of the conformance suite.
import { files } from 'runfence/files';
import { obeyConformance } from 'runfence/testing';

await obeyConformance((dir) => files({ dir, staleMs: 2_000, durable: false }));
