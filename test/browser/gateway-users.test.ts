import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { type PageOfUser, pageStage } from './support/gateway-stage.js';

const TOKENS = JSON.stringify({
  'token-a': { userId: 'alice' },
  'token-b': { userId: 'bob' },
  'token-r': { userId: 'root', admin: true },
});

async function signIn({ page }: PageOfUser, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

const addressOf = ({ page }: PageOfUser): string => new URL(page.url()).hash;

describe('users and tabs of the page of examples/gateway', () => {
  test('two tabs of one user agree: what one says and stops, the other one shows', async () => {
    const { open, user, app } = await pageStage({ hello: ['one ', new Hold()], again: 'fine' });
    const own = await user();
    const first = await open(own);
    await first.say('hello');
    await first.shows('one');
    await expect.poll(() => addressOf(first)).toMatch(/^#.+/);
    const second = await open(own, addressOf(first));
    await second.shows('one', 'answering');
    await second.stop.click();
    for (const tab of [first, second]) {
      await tab.shows(/It ended within/);
      await tab.isIdle();
      await expect.poll(() => tab.answers()).toEqual(['one ']);
    }
    await second.say('again');
    for (const tab of [first, second]) {
      await tab.shows('fine');
      await expect.poll(() => tab.sessions.count()).toBe(1);
      // The other tab has the words of the answer as they come, and those of the message from the conversation.
      const said = (): Promise<string[]> => tab.page.locator('.said').allTextContents();
      await expect.poll(said).toEqual(['You said: hello', 'You said: again']);
    }
    expect(app.control.runs.list()).toEqual([]);
  });

  test('a second user sees nothing of the first, also at her address, and stops nothing of hers', async () => {
    const hold = new Hold();
    const { open, app } = await pageStage({ hello: ['one ', hold, 'two'] }, { tokens: TOKENS });
    const alice = await open();
    await signIn(alice, 'wrong');
    await alice.shows('The server does not know this token.');
    await signIn(alice, 'token-a');
    await alice.shows('Signed in as alice');
    await alice.say('hello');
    await alice.shows('one');
    await expect.poll(() => addressOf(alice)).toMatch(/^#.+/);
    expect(alice.page.url()).not.toContain('token-a');

    const bob = await open({}, addressOf(alice));
    await signIn(bob, 'token-b');
    await bob.shows('Signed in as bob');
    // Everything that he is told of her would be there by the time at which he is told of his own.
    await bob.page.getByRole('button', { name: 'New' }).click();
    await bob.say('mine');
    await bob.shows('You said: mine', 'answered');
    await expect.poll(() => bob.sessions.allTextContents()).toEqual(['mineanswered']);
    await bob.page.goto(`${app.url}/${addressOf(alice)}`);
    await bob.message.waitFor();
    await expect.poll(() => bob.answers()).toEqual([]);
    await bob.page.keyboard.press('Escape');
    await bob.say('/stop');
    await expect.poll(() => bob.answers()).toEqual([]);

    hold.open();
    await alice.shows('answered');
    await expect.poll(() => alice.answers()).toEqual(['one two']);
    await expect.poll(() => alice.sessions.count()).toBe(1);
  });

  test('an admin sees the conversation of a user, stops it, and cannot write in it', async () => {
    const { open } = await pageStage({ hello: ['one ', new Hold()] }, { tokens: TOKENS });
    const alice = await open();
    await signIn(alice, 'token-a');
    await alice.say('hello');
    await alice.shows('one');
    const root = await open();
    await signIn(root, 'token-r');
    await root.sessions.getByRole('link', { name: 'of alice' }).click();
    await root.shows('one', 'hello (of alice)');
    expect(await root.message.isDisabled()).toBe(true);
    await root.stop.click();
    for (const user of [root, alice]) await user.shows(/It ended within/);
    await root.page.getByRole('button', { name: 'Sign out' }).click();
    await root.shows('Who are you?');
  });
});
