import { afterAll, beforeAll, inject, test } from 'vitest';
import { drive } from '../proof/model/record/oracle.js';
import { wholeMemory } from '../proof/model/record/subjects.js';
import { isLong, times } from '../support/proofs.js';
import { type Host, hostOf } from './support/clients.js';
import { newSchema } from './support/schemas.js';
import { PostgresSubject } from './support/subject.js';

const FIRST = Number(process.env.RECORD_SEED ?? 1);
const SEQUENCES = Number(process.env.RECORD_SEQUENCES ?? times(25, isLong ? 1_000 : 400));
const STEPS = 60;

let host: Host;
let subject: PostgresSubject;

beforeAll(async () => {
  host = hostOf('pg', inject('postgresUrl'));
  subject = await PostgresSubject.open(host, newSchema());
});

afterAll(async () => {
  await subject.close();
  await host.close();
});

test(`every answer and every record is that of memory() and of the reference, in ${SEQUENCES} sequences`, async () => {
  for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) {
    await subject.clear();
    const memory = wholeMemory();
    memory.listen('elsewhere', true);
    await drive([memory, subject], { seed, steps: STEPS, isShared: true });
  }
}, 600_000);
