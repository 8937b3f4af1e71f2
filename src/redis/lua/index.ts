import { ANSWER, COMMIT } from './answer.js';
import { BURIAL, LIST } from './burial.js';
import { CLAIM_BODY } from './claim.js';
import { ANNOUNCE_BODY, END_BODY, FORGET_BODY } from './end.js';
import { ACKNOWLEDGE_BODY, LEAVE_BODY, ORPHANS_BODY, RENEW_BODY, SWEEP_BODY } from './lease.js';
import { LINE } from './line.js';
import { LOCK, LOCK_BODY, UNLOCK_BODY } from './lock.js';
import { MARKS } from './marks.js';
import {
  CHECK_BODY,
  READ_PART_BODY,
  READ_PROCESSES_BODY,
  READ_RUN_BODY,
  READ_SESSION_BODY,
  READ_STOPS_BODY,
} from './reads.js';
import { RECORD } from './record.js';
import { FORGOTTEN, STOP_BODY, STOP_EVERYWHERE_BODY } from './stop.js';

/**
 * What is given up must go through when the server's memory is full, and so must stops: they free more than they take.
 * Only what begins something is refused then, before it has done anything.
 */
const ALWAYS = '#!lua flags=allow-oom';
const IF_THERE_IS_ROOM = '#!lua';

const READS = RECORD + ANSWER + COMMIT;
const CHANGES = RECORD + LOCK + LIST + BURIAL + ANSWER + MARKS + COMMIT;

/** The scripts: one for each method of the port, and those of the lease. */
export type ScriptName =
  | 'claim'
  | 'stop'
  | 'stopEverywhere'
  | 'end'
  | 'announce'
  | 'lock'
  | 'unlock'
  | 'forget'
  | 'check'
  | 'readSession'
  | 'readRun'
  | 'readPart'
  | 'readProcesses'
  | 'readStops'
  | 'renew'
  | 'sweep'
  | 'orphans'
  | 'acknowledge'
  | 'leave';

const SCRIPTS: Readonly<Record<ScriptName, readonly [shebang: string, body: string]>> = {
  claim: [IF_THERE_IS_ROOM, CHANGES + CLAIM_BODY],
  stop: [ALWAYS, CHANGES + FORGOTTEN + STOP_BODY],
  stopEverywhere: [ALWAYS, RECORD + LIST + ANSWER + COMMIT + FORGOTTEN + STOP_EVERYWHERE_BODY],
  end: [ALWAYS, RECORD + LOCK + ANSWER + COMMIT + END_BODY],
  announce: [ALWAYS, RECORD + LOCK + ANSWER + MARKS + COMMIT + ANNOUNCE_BODY],
  lock: [IF_THERE_IS_ROOM, RECORD + LOCK + LIST + BURIAL + ANSWER + COMMIT + LOCK_BODY],
  unlock: [ALWAYS, RECORD + LOCK + ANSWER + COMMIT + UNLOCK_BODY],
  forget: [ALWAYS, RECORD + LIST + ANSWER + COMMIT + FORGOTTEN + FORGET_BODY],
  check: [ALWAYS, RECORD + CHECK_BODY],
  readSession: [ALWAYS, READS + READ_SESSION_BODY],
  readRun: [ALWAYS, READS + READ_RUN_BODY],
  readPart: [ALWAYS, READS + READ_PART_BODY],
  readProcesses: [ALWAYS, READS + READ_PROCESSES_BODY],
  readStops: [ALWAYS, RECORD + LIST + ANSWER + READ_STOPS_BODY],
  renew: [ALWAYS, RECORD + LIST + ANSWER + RENEW_BODY],
  sweep: [ALWAYS, CHANGES + SWEEP_BODY],
  orphans: [ALWAYS, ORPHANS_BODY],
  acknowledge: [ALWAYS, ACKNOWLEDGE_BODY],
  leave: [ALWAYS, LEAVE_BODY],
};

export const SCRIPT_NAMES: readonly ScriptName[] = Object.freeze(Object.keys(SCRIPTS) as ScriptName[]);

/** The text of a script for one line: another line has another text, so that no server knows it from before. */
export function scriptText(name: ScriptName, line: string): string {
  const [shebang, body] = SCRIPTS[name];
  return `${shebang}\n-- runfence ${name}, line ${line}\n${LINE}${body}`;
}
