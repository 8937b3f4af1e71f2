import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { untilCut } from '../support/work.js';
import { accepted } from './support/accepted.js';
import type { Script } from './support/scripted.js';
import { type Stage, stage } from './support/stage.js';

const waits: Script = async (turn) => {
  turn.ask();
  turn.say('so far');
  await untilCut(turn.run);
};

/** Watches a run, until the test leaves. */
function watch({ runner }: Stage, runId: string): () => void {
  const gone = new AbortController();
  void (async () => {
    for await (const _ of runner.streams.subscribe(runId, { signal: gone.signal }) ?? []);
  })();
  return () => gone.abort();
}

async function started(scene: Stage): Promise<string> {
  const sent = accepted(await scene.runner.send({ sessionKey: 's', messages: 'one' }));
  await flush();
  return sent.runId;
}

describe('when the last one who watches leaves', () => {
  test('a turn continues by default (K15)', async () => {
    const scene = stage(waits);
    const runId = await started(scene);
    watch(scene, runId)();
    await scene.clock.advance(60_000);
    expect(scene.control.runs.get(runId)).toMatchObject({ status: 'running' });
    await scene.control.abort('all');
  });

  test('abort stops it as disconnect, and what there is of it is kept (K15)', async () => {
    const scene = stage(waits, { whenUnwatched: 'abort' });
    const runId = await started(scene);
    const [one, two] = [watch(scene, runId), watch(scene, runId)];
    await flush();
    one();
    await flush();
    expect(scene.control.runs.get(runId)).toMatchObject({ status: 'running' });
    two();
    await flush();
    expect(scene.control.runs.get(runId)).toMatchObject({ reason: 'disconnect' });
    expect(await scene.kept()).toMatchObject({ states: ['cut: disconnect'] });
  });

  test('a turn that nobody has watched yet goes on', async () => {
    const scene = stage(waits, { whenUnwatched: 'abort' });
    const runId = await started(scene);
    await scene.clock.advance(60_000);
    expect(scene.control.runs.get(runId)).toMatchObject({ status: 'running' });
    await scene.control.abort('all');
  });

  test('graceMs leaves time to come back (K15)', async () => {
    const scene = stage(waits, { whenUnwatched: { graceMs: 1_000 } });
    const runId = await started(scene);
    watch(scene, runId)();
    await scene.clock.advance(999);
    const back = watch(scene, runId);
    await scene.clock.advance(5_000);
    expect(scene.control.runs.get(runId)).toMatchObject({ status: 'running' });
    back();
    await scene.clock.advance(1_000);
    expect(scene.control.runs.get(runId)).toMatchObject({ reason: 'disconnect' });
  });

  test('a turn that ends in the meantime leaves no timer', async () => {
    const scene = stage(waits, { whenUnwatched: { graceMs: 60_000 } });
    const runId = await started(scene);
    watch(scene, runId)();
    await flush();
    await scene.control.abort('all');
    expect(scene.control.runs.get(runId)).toMatchObject({ reason: 'user' });
  });
});
