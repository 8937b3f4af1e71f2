import { type AgentRunner, type History, memoryHistory, type Sent, type SteerResult } from 'runfence/agent';
import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { times } from '../support/proofs.js';
import { BACKENDS, withBackend } from './support/backends.js';
import { type Script, says } from './support/scripted.js';
import { type Stage, stage } from './support/stage.js';
import type { Said } from './support/transcript.js';

/** The microtask in which the stop lands: everything of a turn goes on in microtasks, so this is every await of it. */
async function ticks(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await Promise.resolve();
}

interface Scene {
  readonly stage: Stage;
  readonly paid: string[];
  /** What was said and taken, in the order of the sends. */
  readonly said: string[];
  readonly sends: Sent[];
  steers: SteerResult[];
}

/** Says, looks, pays after a question, and says again, until nothing is left to read. */
function everything(paid: string[]): Script {
  return async (turn) => {
    turn.ask();
    turn.say('a1');
    await turn.tool('look', async () => 'seen', { effect: 'read' });
    turn.ask();
    await turn.tool('pay', () => paid.push(turn.run.id), { effect: 'unsafe', asks: true });
    do {
      turn.ask();
      turn.say('a2');
    } while (!turn.ends());
  };
}

/** Answers each question of a run as soon as it is asked. */
async function approve(runner: AgentRunner, runId: string): Promise<void> {
  for await (const item of runner.streams.subscribe(runId) ?? []) {
    if (item.type === 'event' && item.event.type === 'approval') {
      await runner.answer(item.event.approvalId, { approved: true });
    }
  }
}

async function say(scene: Scene, messages: string, options: object = {}): Promise<void> {
  const { runner } = scene.stage;
  const isFirst = !scene.said.includes(messages);
  if (isFirst) scene.said.push(messages);
  const sent = await runner.send({ sessionKey: 's', messages, messageId: messages, ...options });
  if (sent.status === 'rejected') {
    if (isFirst) scene.said.splice(scene.said.indexOf(messages), 1);
    return;
  }
  if (sent.status === 'aborted') {
    await sent.whenSaved();
    return;
  }
  scene.sends.push(sent);
  void approve(runner, sent.runId);
}

const STOPS: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  'a stop of the session': ({ stage: { control } }) => control.abort({ sessionKey: 's' }),
  'a takeover': (scene) => say(scene, 'four'),
  'a hang-up and a retry': async (scene) => {
    await scene.stage.control.abort({ sessionKey: 's' }, { reason: 'disconnect', queued: 'keep' });
    await say(scene, 'one');
  },
  'a shutdown': ({ stage: { control } }) => control.drain({ graceMs: 0 }),
};

/** One message, one that waits, one that steers, sent twice; and the stop in the tick that is asked for. */
async function play(at: number, stop: (scene: Scene) => Promise<unknown>, made: Stage, paid: string[]): Promise<Scene> {
  const scene: Scene = { stage: made, paid, said: [], sends: [], steers: [] };
  const { runner } = made;
  const one = say(scene, 'one');
  const landing = ticks(at).then(() => stop(scene));
  await one;
  const three = say(scene, 'three', { whenBusy: 'enqueue' });
  const [first] = scene.sends;
  if (first !== undefined) {
    const steer = () => runner.steer(first.runId, 'two', { messageId: 'two' });
    scene.steers = await Promise.all([steer(), steer()]);
  }
  // A shared lock that is asked for while it is given back is asked for once more a moment later.
  for (let rounds = 0; rounds < 20; rounds += 1) await flush();
  await made.clock.advance(100);
  await Promise.all([three, landing]);
  for (let rounds = 0; rounds < 20; rounds += 1) await flush();
  return scene;
}

async function problemsOf(scene: Scene, history: History): Promise<string[]> {
  const { agent, errors, runner, control } = scene.stage;
  const problems = [...agent.problems];
  for (const { runId, outcome, whenSaved } of scene.sends) {
    const ended = await Promise.race([outcome, flush().then(() => undefined)]);
    if (ended === undefined) problems.push(`${runId} has not ended: ${control.runs.get(runId)?.status}`);
    else if (ended.status === 'failed') problems.push(`${runId} has failed: ${String(ended.error)}`);
    const { state } = await whenSaved({ timeoutMs: 0 });
    if (ended?.status !== 'rejected' && state !== 'saved') problems.push(`${runId} is not saved: ${state}`);
  }
  const records = await history.read('s', { signal: new AbortController().signal });
  const lines = records.flatMap(({ incoming, answer }) => [...incoming, ...answer] as Said[]);
  const users = lines.flatMap((line) => (line.who === 'user' ? [line.text] : []));
  for (const words of scene.said) {
    const count = users.filter((one) => one === words).length;
    if (count !== 1) problems.push(`"${words}" is kept ${count} times`);
  }
  const isTaken = scene.steers.some(({ status }) => status !== 'stale');
  const taken = users.filter((one) => one === 'two').length;
  if (taken !== (isTaken ? 1 : 0))
    problems.push(`the steer is ${JSON.stringify(scene.steers)}, and kept ${taken} times`);
  const inOrder = users.filter((one) => scene.said.includes(one));
  if (inOrder.join() !== scene.said.join()) problems.push(`the order is ${inOrder.join()}`);
  for (const record of records) {
    const texts = (record.answer as Said[]).flatMap((line) => (line.who === 'agent' ? [line.text] : [])).join('');
    let published = '';
    for await (const item of runner.streams.subscribe(record.runId) ?? []) {
      if (item.type === 'event' && item.event.type === 'text') published += item.event.text;
    }
    // What a second attempt has that did not open is the record of the first.
    if (runner.control.runs.get(record.runId)?.generation !== record.generation) continue;
    if (texts !== published) problems.push(`published "${published}", and kept "${texts}"`);
    if (record.state === 'open') problems.push(`${record.runId} is open`);
  }
  const pays = records.map((record) => (record.answer as Said[]).filter((line) => line.who === 'result'));
  for (const runId of scene.paid) {
    const at = records.findIndex((record) => record.runId === runId);
    const told = (pays[at] ?? []).some(({ text }) => /^\d+$|may have taken effect/.test(text));
    if (!told) problems.push(`${runId} has paid, and its record does not say so`);
  }
  if (new Set(scene.paid).size < scene.paid.length) problems.push('paid twice in one run');
  problems.push(...errors.map(String));
  return problems;
}

/** From here on nothing of the scene goes on any more. */
const MOST_TICKS = 240;
/** Whole, every tick is tried; otherwise each kind of stop takes every fifth. */
const STEP = times(5, 1);

for (const [backend, make] of Object.entries(BACKENDS)) {
  describe(`with ${backend}`, () => {
    for (const [name, stop] of Object.entries(STOPS)) {
      test(`${name} lands at every await of a turn: nothing is lost, doubled or invalid`, async () => {
        const wrong: string[] = [];
        for (let at = 0; at < MOST_TICKS; at += STEP) {
          const history = memoryHistory();
          const paid: string[] = [];
          const made = stage([everything(paid)], { history }, withBackend(make));
          const scene = await play(at, stop, made, paid);
          await made.control.abort('all');
          for (let rounds = 0; rounds < 5; rounds += 1) await flush();
          wrong.push(...(await problemsOf(scene, history)).map((problem) => `tick ${at}: ${problem}`));
          // The model takes what is left, in another process.
          const next = stage(says('end'), { history });
          const last = await next.runner.send({ sessionKey: 's', messages: 'last' });
          if (last.status !== 'started') throw new Error(last.status);
          await last.outcome;
          wrong.push(...next.agent.problems.map((problem) => `tick ${at}, then: ${problem}`));
          if (wrong.length > 5) break;
        }
        expect(wrong).toEqual([]);
      });
    }
  });
}
