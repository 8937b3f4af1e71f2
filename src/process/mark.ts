import { createHash } from 'node:crypto';
import type { Run, RunView } from '../index.js';

/** The name of the mark in the environment of everything that was started here. */
const NAME = 'RUNFENCE_PROCESS';
const ASSIGNMENT: Buffer = Buffer.from(`${NAME}=`);

/**
 * The environment with a mark. One that is there already, or that we carry ourselves, stays beside it: its tree is
 * around this one.
 */
export function marked(env: Readonly<Record<string, string | undefined>>, mark: string): NodeJS.ProcessEnv {
  const outer = env[NAME] ?? process.env[NAME];
  const value = outer === undefined ? mark : `${outer}:${mark}`;
  // Without a prototype: Node hands on what an environment inherits.
  return Object.assign(Object.create(null) as NodeJS.ProcessEnv, env, { [NAME]: value });
}

/**
 * The mark of all that one run starts, wherever the run is known. A node's id is random, so that no other run has it; and
 * nobody reads in it whose run it is.
 */
export function markOfRun({ nodeId, id, generation }: Pick<Run, 'nodeId' | 'id' | 'generation'>): string {
  return createHash('sha256')
    .update(JSON.stringify([nodeId, id, generation]))
    .digest('base64url');
}

/** As `markOfRun`, of a run that another process had. */
export function markOfView({ nodeId, runId, generation }: Pick<RunView, 'nodeId' | 'runId' | 'generation'>): string {
  return markOfRun({ nodeId, id: runId, generation });
}

/**
 * The marks in an environment as the system keeps it, each variable ended by a null byte. Only the variable itself
 * counts: its text may stand in others, such as the last error of somebody else's log.
 */
export function marksIn(environment: Buffer): readonly string[] {
  const marks: string[] = [];
  for (let at = environment.indexOf(ASSIGNMENT); at >= 0; at = environment.indexOf(ASSIGNMENT, at + 1)) {
    if (at > 0 && environment[at - 1] !== 0) continue;
    const end = environment.indexOf(0, at);
    const value = environment.toString('latin1', at + ASSIGNMENT.length, end < 0 ? environment.length : end);
    marks.push(...value.split(':'));
  }
  return marks;
}
