import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { gate } from '../support/work.js';
import { says } from './support/scripted.js';
import { stage } from './support/stage.js';

describe('what a send says of its own turn', () => {
  test('whenUnwatched of the send outweighs that of the runner', async () => {
    for (const [runners, sends, ends] of [
      ['continue', 'abort', 'aborted'],
      ['abort', 'continue', 'completed'],
      ['abort', undefined, 'aborted'],
    ] as const) {
      const held = gate();
      const { runner } = stage(
        async (turn) => {
          turn.say('hello');
          await Promise.race([held.promise, new Promise((done) => turn.run.signal.addEventListener('abort', done))]);
        },
        { whenUnwatched: runners },
      );
      const sent = await runner.send({ sessionKey: 's', messages: 'hi', whenUnwatched: sends });
      if (sent.status !== 'started') throw new Error(sent.status);
      const watching = sent.events()?.[Symbol.asyncIterator]();
      await watching?.next();
      await watching?.return?.();
      held.open();
      expect((await sent.outcome).status).toBe(ends);
      await flush();
    }
  });

  test('a fingerprint of the send outweighs that of the runner: the same id with another one is a conflict', async () => {
    const { runner } = stage(says('hello'));
    const send = (fingerprint: string) => runner.send({ sessionKey: 's', runId: 'r', messages: 'hi', fingerprint });
    const first = await send('a');
    if (first.status === 'started') await first.outcome;
    expect((await send('a')).status).toBe('duplicate');
    await expect(send('b')).rejects.toMatchObject({ code: 'RUN_ID_CONFLICT' });
  });

  test('a wrong whenUnwatched is refused, and the control of a runner is there', async () => {
    const { runner, control } = stage(says('hello'));
    expect(runner.control).toBe(control);
    const wrong = 'never' as 'abort';
    await expect(runner.send({ sessionKey: 's', messages: 'hi', whenUnwatched: wrong })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    });
  });
});
