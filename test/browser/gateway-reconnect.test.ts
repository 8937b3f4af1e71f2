import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { pageStage } from './support/gateway-stage.js';

describe('the page of examples/gateway, when its connection breaks', () => {
  test('it catches up by itself, loses no word and shows none twice, and a stop works as before', async () => {
    const holds = [new Hold(), new Hold(), new Hold()] as const;
    const { open, cut, model } = await pageStage({
      hello: ['one ', holds[0], 'two ', holds[1], 'three ', holds[2], 'never'],
    });
    const user = await open();
    await user.say('hello');
    await expect.poll(() => user.answers()).toEqual(['one ']);
    const comeBack = cut();
    await user.shows('The connection is lost. Trying again… What is running goes on.');
    // Said while nobody hears it.
    holds[0].open();
    await expect.poll(() => model.requests[0]?.tokens).toBeGreaterThan(1);
    expect(await user.answers()).toEqual(['one ']);
    comeBack();
    await expect.poll(() => user.answers()).toEqual(['one two ']);
    await expect.poll(() => user.page.locator('#connection').isVisible()).toBe(false);
    // What is said from now on comes as ever, and once more behind another break.
    holds[1].open();
    await expect.poll(() => user.answers()).toEqual(['one two three ']);
    cut()();
    await user.stop.click();
    await user.shows(/It ended within .*\. Nothing is left running\./);
    await user.isIdle();
    expect(await user.answers()).toEqual(['one two three ']);
    expect(model.requests).toHaveLength(1);
    expect(await user.page.locator('.said').count()).toBe(1);
  });

  test('a message that is sent while the connection is broken is sent once it is there again, once', async () => {
    const { open, cut, model } = await pageStage({ hello: ['one ', new Hold()] });
    const user = await open();
    await user.say('hello');
    await user.shows('one');
    const comeBack = cut();
    await user.shows('The connection is lost. Trying again… What is running goes on.');
    await user.say('and this', 'Take over');
    await user.shows('Sending…');
    comeBack();
    await user.shows('You said: and this');
    await user.isIdle();
    await expect.poll(() => user.answers()).toEqual(['one ', 'You said: and this']);
    expect(model.requests).toHaveLength(2);
    await expect.poll(() => user.sessions.count()).toBe(1);
  });
});
