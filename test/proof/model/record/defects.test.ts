import { expect, test } from 'vitest';
import { drive } from './oracle.js';
import type { Defect } from './parts.js';
import { wholeMemory } from './subjects.js';

/** Each is taken out of the reference, and has to be seen. */
const DEFECTS: Readonly<Record<Defect, string>> = {
  'burial-ignores-list': 'a run that a stop of the whole backend had hit is buried as lost',
  'burial-by-generation': 'the list is compared with the generation, not with the number from before the queue',
  'burial-without-authority': "a stop of the list hits a run that is not its requester's",
  'takeover-buries': 'a takeover buries a sleeper instead of marking it',
  'late-always-reserves': 'an epilogue that is announced after a later grant is reserved',
  'late-never-reserves': 'an epilogue that is announced after the stop is never reserved',
  'marks-if-refused': 'a claim that is refused marks',
  'silent-mark': 'a change that drew no number leaves the version as it was',
  'list-moves-records': 'a stop of the whole backend moves the version of records',
  'resent-without-number': 'a stop that is sent again after a failover hits what was begun since',
  'resent-without-names': 'a late claim of a run that a lost stop had hit is granted',
  'ends-over-a-stop': 'a completion writes over a stop',
  'end-leaves-reservation': 'a reservation outlives its run',
  'no-attempt-id': 'what is sent again is done again',
  'lock-no-attempt-id': 'a lock that is asked for again is refused to its own holder',
  'ignores-reservation': 'the lock is granted before a reserved epilogue',
  'any-reservation-first': 'a later epilogue overtakes an earlier one',
  'revokes-any-grant': 'a stop revokes a grant that it does not name',
  'ignores-stops': 'a claim is not held against the stops that are kept',
  'ignores-listed-intents': 'a claim is not held against the intents of the whole backend',
  'replaces-any-generation': 'a takeover by an old generation marks the new run',
  'repeats-any-generation': 'a run is repeated though another generation of it has ended since',
  'left-out-too-often': 'a burial is not told to the node that buried',
};

const MOST = 400;

test.each(Object.entries(DEFECTS) as [Defect, string][])('%s: %s', async (defect) => {
  for (let seed = 1; seed <= MOST; seed++) {
    try {
      await drive([wholeMemory()], { seed, steps: 60, defect });
    } catch (error) {
      expect(String(error)).toMatch(/seed \d+, step \d+: /);
      return;
    }
  }
  expect.unreachable(`not seen in ${MOST} sequences`);
});
