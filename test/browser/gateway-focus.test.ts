import type { BrowserContext } from 'playwright-core';
import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { type PageOfUser, pageStage } from './support/gateway-stage.js';

type Sort = 'events' | 'answers';

/** From the next page on, the frames of one sort stay behind the others until they are let go. */
async function heldBack(user: BrowserContext, sort: Sort): Promise<() => void> {
  const held: (() => void)[] = [];
  let isHeld = true;
  await user.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer();
    const gets = new Set<string>();
    socket.onMessage((frame) => {
      const { id, method } = JSON.parse(String(frame)) as { id: string; method: string };
      if (method === 'sessions.get') gets.add(id);
      server.send(frame);
    });
    server.onMessage((frame) => {
      const { type, id, event } = JSON.parse(String(frame)) as { type: string; id?: string; event?: string };
      const isMeant = sort === 'events' ? type === 'event' && event !== 'sessions.changed' : gets.has(String(id));
      if (isHeld && isMeant) held.push(() => socket.send(frame));
      else socket.send(frame);
    });
  });
  return () => {
    isHeld = false;
    for (const send of held.splice(0)) send();
  };
}

/** Until one may write: the focus is in the message. */
async function mayWrite({ message }: PageOfUser): Promise<void> {
  await expect.poll(() => message.evaluate((element) => element === element.ownerDocument.activeElement)).toBe(true);
}

describe('the focus on the page of examples/gateway', () => {
  test.each<Sort>(['events', 'answers'])(
    'a question is there once, and keeps the focus, if %s come late',
    async (sort) => {
      const { open, user: browserOf } = await pageStage({
        clean: ['I clean. ', { call: 'exec', input: { command: 'echo rm; echo gone' } }],
        'rm\ngone\n\n[exit 0]': 'It is gone.',
      });
      const own = await browserOf();
      const user = await open(own);
      await user.say('clean');
      await user.shows('asks you');
      const letGo = await heldBack(own, sort);
      await user.page.reload();
      const allow = user.page.getByRole('button', { name: 'Allow', exact: true });
      await allow.focus();
      letGo();
      await user.page.locator('.answer + .tool-box').waitFor();
      await user.page.keyboard.press('Enter');
      await user.shows('answered');
      await expect.poll(() => user.answers()).toEqual(['I clean. ', 'It is gone.']);
      expect(await user.page.locator('.tool').count()).toBe(1);
    },
  );

  test('a button that goes leaves the focus to the message: Stop, Remove from the line, Sign in', async () => {
    const { open } = await pageStage(
      { hello: ['one ', new Hold()], more: ['two ', new Hold()] },
      { tokens: '{"t":{"userId":"alice"}}' },
    );
    const user = await open();
    await user.page.getByLabel('Token').fill('t');
    await user.page.getByRole('button', { name: 'Sign in' }).press('Enter');
    await mayWrite(user);
    await user.say('hello');
    await user.shows('one');
    await user.say('then this', 'Wait in line');
    await user.page.getByRole('button', { name: 'Remove from the line' }).press('Enter');
    await user.shows('It was still waiting, and never began.');
    await mayWrite(user);
    await user.stop.press('Enter');
    await user.isIdle();
    await mayWrite(user);
    await user.say('more');
    await user.shows('two');
    // The choice goes with the answer under way.
    await user.page.getByRole('radio', { name: 'Take over' }).press('Escape');
    await user.isIdle();
    await mayWrite(user);
  });

  test('on a phone, the list of conversations leaves the focus to its button', async () => {
    const { open } = await pageStage({});
    const user = await open({ viewport: { width: 390, height: 800 } });
    await user.say('hello');
    await user.shows('answered');
    const menu = user.page.getByRole('button', { name: 'Conversations' });
    for (const leave of ['Enter', 'Escape']) {
      await menu.press('Enter');
      await user.sessions.getByRole('link').press(leave);
      await expect.poll(() => menu.evaluate((element) => element === document.activeElement)).toBe(true);
      expect(await menu.getAttribute('aria-expanded')).toBe('false');
    }
  });

  test('where one touches, a stop brings up no keyboard: the focus goes to the conversation', async () => {
    const { open } = await pageStage({ hello: ['one ', new Hold()] });
    const user = await open({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } });
    await user.say('hello');
    await user.shows('one');
    await user.stop.focus();
    await user.stop.tap();
    await user.isIdle();
    const isRead = (): Promise<boolean> => user.page.evaluate(() => document.activeElement?.id === 'conversation');
    await expect.poll(isRead).toBe(true);
  });

  test('what a reader has opened of an old turn stays open when there is more to show', async () => {
    const { open } = await pageStage({
      go: [{ call: 'exec', input: { command: 'echo ran' } }],
      'ran\n\n[exit 0]': 'ok',
    });
    const user = await open();
    await user.say('go');
    await user.shows('answered');
    // While one looks on it has the whole of what the command has ended with, as it has when it is loaded again.
    const output = user.page.locator('.tool-output');
    await expect.poll(() => output.textContent()).toBe('ran\n\n[exit 0]');
    await user.page.reload();
    await user.shows('ok');
    await user.page.locator('.tool summary').click();
    await output.waitFor();
    await user.say('hello');
    await user.shows('You said: hello', 'answered');
    await user.isIdle();
    expect(await output.isVisible()).toBe(true);
    expect(await output.textContent()).toBe('ran\n\n[exit 0]');
  });
});
