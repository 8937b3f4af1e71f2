import type { Script } from '../../agent/support/scripted.js';
import { isWhole } from '../../support/proofs.js';
import { untilCut } from '../../support/work.js';
import { type HttpStage, httpStage } from './stage.js';

/** The repetitions of a client take it more than a second: the proofs, and the run on the current majors, have the time. */
export const isThorough = isWhole || process.env.CURRENT !== undefined;

/** A model that says one word, and then nothing until its run is cut. */
export const talks: Script = async ({ say, run }) => {
  say('one ');
  await untilCut(run);
};

/** A model that fails in mid-answer. */
export const fails: Script = async ({ say }) => {
  say('one ');
  throw new Error('no');
};

export interface Served extends HttpStage {
  readonly url: string;
  /** How the runs of the server have ended, in order. */
  readonly ended: (string | undefined)[];
  /** How many responses are open on the server. */
  readonly open: () => number;
}

/** The handlers on a real socket. */
export async function served(
  script: Script | readonly Script[],
  options: Parameters<typeof httpStage>[1] = {},
): Promise<Served> {
  const staged = httpStage(script, options);
  const { url, open } = await staged.serve();
  const ended: (string | undefined)[] = [];
  staged.control.on('run:ended', ({ run }) => ended.push(run.reason ?? run.status));
  return { ...staged, url, open, ended };
}

/** What a client does reaches the server by its socket: there is nothing to wait for but that it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((done) => setTimeout(done, 5));
}

/** What a promise was rejected with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
