import { describe, test } from 'vitest';
import { times } from '../../../support/proofs.js';
import { drive } from './oracle.js';
import { ReloadedMemory, wholeMemory, write } from './subjects.js';

const FIRST = Number(process.env.RECORD_SEED ?? 1);
const SEQUENCES = Number(process.env.RECORD_SEQUENCES ?? times(500, 5_000));
const STEPS = 60;

describe('the record of memory() answers as the reference does', () => {
  test(`in ${SEQUENCES} sequences`, async () => {
    for (let seed = FIRST; seed < FIRST + SEQUENCES; seed++) await drive([wholeMemory()], { seed, steps: STEPS });
  });

  test('if it goes through a document after each operation', async () => {
    for (let seed = FIRST; seed < FIRST + SEQUENCES / 5; seed++) {
      const whole = wholeMemory();
      const reloaded = new ReloadedMemory();
      const after = (): void => {
        const document = reloaded.reload();
        if (write(whole.backend().state()) !== document) throw new Error(`seed ${seed}: the document is another one`);
      };
      await drive([whole, reloaded], { seed, steps: STEPS, after });
    }
  });
});
