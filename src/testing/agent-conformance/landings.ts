import assert from 'node:assert/strict';
import type { ModelRequest } from '../model-server/request.js';
import type { ModelPiece, ModelReply } from '../model-server/script.js';
import type { AgentConformanceOptions } from './options.js';
import { type Landing, Points } from './points.js';
import { AgentStage, contentText, SESSION, until } from './stage.js';
import { toolNamed } from './tools.js';

/** Turns of the microtask queue behind each point: an agent's own awaits take some. */
const HOPS: readonly number[] = [0, 1, 2, 3, 5, 8];

const STOPS: Readonly<Record<string, <M>(stage: AgentStage<M>, abort: () => void) => unknown>> = {
  'a stop': (stage) => stage.control.abort({ sessionKey: SESSION }, { reason: 'user' }),
  'a hang-up': (_stage, abort) => abort(),
  'a takeover': (stage) => stage.send('Second.'),
  'a timeout': (stage) => stage.control.abort({ sessionKey: SESSION }, { reason: 'timeout' }),
};

/** Alarms of a landing itself: it may come before anybody reads the signal, and inside the run. */
const ALARMS: readonly RegExp[] = [/nothing had read its signal/i, /was asked for inside run/];

/** What happens to a turn besides: it is steered, if it can be. */
const STEER = 'a word that steers';

/** One turn with all that a turn has: text, a batch, an unsafe tool, more text. */
const ASKS: readonly ModelPiece[] = [
  'I look around. ',
  { call: 'look', input: { turn: 1 } },
  { call: 'pay', input: { turn: 1 } },
];
const OWN: readonly string[] = ['First.', 'Shorter.'];

/** By the request: the turns after it find another model, wherever this one was stopped. */
function script({ messages }: ModelRequest): ModelReply | undefined {
  const said = messages.findLast(({ role }) => role === 'user');
  if (said === undefined || !OWN.includes(contentText(said.content))) return undefined;
  return messages.some(({ tool_calls }) => tool_calls !== undefined) ? 'All done.' : ASKS;
}

/**
 * Lets a turn be stopped at every point between its agent and what is around it, and at the awaits behind each, one
 * landing at a time, and looks each time whether everything still holds.
 *
 * @returns how many landings there were
 */
export async function landAll<M>(options: AgentConformanceOptions<M>): Promise<number> {
  const dry = new Points();
  await land(options, dry, 'nothing');
  const stops = [...Object.keys(STOPS), ...(options.steers === true ? [STEER] : [])];
  const landings = dry.names.flatMap((name, at) => HOPS.map((hops) => ({ at, hops, name })));
  const step = Math.max(1, Math.round(1 / (options.share ?? 1)));
  let count = 0;
  let missed = 0;
  for (let index = 0; index < landings.length; index += step) {
    const landing = landings[index] as Landing & { readonly name: string };
    // Another stop at each landing, and another one at the same point next time.
    const stop = stops[(landing.at + landing.hops + Math.floor(index / step)) % stops.length] ?? '';
    if (await landOnce(options, landing, stop)) count += 1;
    else missed += 1;
  }
  assert.ok(missed <= count / 10, `${missed} points of ${count + missed} were not reached again: is the agent random?`);
  return count;
}

async function landOnce<M>(
  options: AgentConformanceOptions<M>,
  { at, hops, name }: Landing & { readonly name: string },
  stop: string,
): Promise<boolean> {
  let landed: () => void = () => {};
  const points = new Points({ at, hops }, () => landed());
  try {
    await land(options, points, stop, (act) => {
      landed = act;
    });
  } catch (error) {
    throw new Error(`${stop}, ${hops} turns behind point ${at} (${name}): ${(error as Error).message}`, {
      cause: error,
    });
  }
  return points.isReached;
}

async function land<M>(
  options: AgentConformanceOptions<M>,
  points: Points,
  stop: string,
  onLanding: (act: () => void) => void = () => {},
): Promise<void> {
  const tools = [toolNamed('look', () => 'seen'), toolNamed('pay', () => 'paid', { effect: 'unsafe' })];
  const stage = await AgentStage.open(options, script, tools, { points });
  try {
    const gone = new AbortController();
    const done: Promise<unknown>[] = [];
    let hasLanded = false;
    onLanding(() => {
      hasLanded = true;
      const act = stop === STEER ? () => steer(stage) : () => STOPS[stop]?.(stage, () => gone.abort());
      done.push(Promise.resolve(act()));
    });
    const said = await stage.trySend('First.', { signal: gone.signal });
    await said?.sent.outcome;
    points.close();
    // Some turns of the microtask queue are still to come.
    await until('it lands', () => hasLanded || !points.isReached);
    await Promise.all(done);
    await stage.settle(ALARMS);
    judge(stage);
  } finally {
    await stage.close();
  }
}

async function steer<M>(stage: AgentStage<M>): Promise<void> {
  const { status } = await stage.runner.steer({ sessionKey: SESSION }, 'Shorter.');
  if (status !== 'stale') stage.words.push('Shorter.');
}

/** Whatever was stopped: an unsafe tool started once at most, and what is known of it is told to the next model. */
function judge<M>(stage: AgentStage<M>): void {
  const pays = stage.tools.started.filter((name) => name === 'pay').length;
  assert.ok(pays <= 1, 'an unsafe tool was started twice');
  const messages = stage.model.requests.at(-1)?.messages ?? [];
  const asked = messages.flatMap(({ tool_calls = [] }) => tool_calls).filter((one) => one.function.name === 'pay');
  if (pays === 1) assert.equal(asked.length, 1, 'the next model is not told of a tool that was started');
}
