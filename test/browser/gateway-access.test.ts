import { mkdir } from 'node:fs/promises';
import axe, { type AxeResults } from 'axe-core';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { pageStage } from './support/gateway-stage.js';

/** For people to look at: not part of the repository. */
const PICTURES = '.cache/gateway-page';

const PHONE = { width: 390, height: 800 };
const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: PHONE },
};

/** The rules that are broken, with the elements. */
async function violations(page: Page): Promise<string[]> {
  const { violations: found } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}

async function isClean(page: Page, name: string): Promise<void> {
  await picture(page, name);
  expect(await violations(page)).toEqual([]);
  // Nothing is cut off at the side.
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
}

describe('the page of examples/gateway, for everybody', () => {
  test.each(Object.keys(LOOKS))('axe finds nothing in the main states: %s', async (look) => {
    await mkdir(PICTURES, { recursive: true });
    const command = `sleep 600 & echo started; wait`;
    const replies = {
      'Tell me a story': ['Canals are older than most roads. ', new Hold()],
      'Start something': ['I start it. ', { call: 'exec', input: { command } }],
      'Clean up': [{ call: 'exec', input: { command: 'rm -f notes.txt' } }],
    };
    const { open } = await pageStage(replies, { tokens: '{"t":{"userId":"alice"}}' });
    // What a script of a test adds to a page is not the page's.
    const user = await open({ ...LOOKS[look], bypassCSP: true });
    const { page } = user;
    await page.getByLabel('Token').waitFor();
    await page.addScriptTag({ content: axe.source });
    await isClean(page, `${look}-1-token`);
    await page.getByLabel('Token').fill('t');
    await page.keyboard.press('Enter');
    await page.getByText('Ask for something.').waitFor();
    await picture(page, `${look}-2-new`);
    await user.say('Tell me a story');
    await user.shows('Canals are older');
    await user.say('Then this', 'Wait in line');
    await user.shows('Waits in line.');
    await isClean(page, `${look}-3-queued`);
    await user.say('Start something', 'Take over');
    await page.locator('.tool-output').getByText('started').waitFor();
    await picture(page, `${look}-4-processes`);
    await user.stop.click();
    await user.shows(/All \d things that it had started ended/);
    await isClean(page, `${look}-5-stopped`);
    await user.say('Clean up');
    await user.shows('The agent asks');
    await isClean(page, `${look}-6-question`);
    await user.stop.click();
    await user.isIdle();
    const menu = page.getByRole('button', { name: 'Conversations' });
    if (await menu.isVisible()) {
      await menu.click();
      await isClean(page, `${look}-7-conversations`);
    }
  });

  test('the keyboard reaches everything, and what happens is said to a screen reader', async () => {
    const hold = new Hold();
    const { open } = await pageStage({ hello: ['one ', hold, 'two'], more: ['three ', new Hold()] });
    const user = await open();
    const { page } = user;
    await page.getByText('Ask for something.').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.type('hello');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Enter');
    await user.shows('one');
    hold.open();
    await page.locator('#polite').getByText('Answer: one two').waitFor({ state: 'attached' });
    await page.keyboard.type('more');
    await page.keyboard.press('Enter');
    await user.shows('three');
    // From the message back to the choice, and along it.
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('button', { name: 'Wait in line' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#polite').getByText('Nothing is left running.').waitFor({ state: 'attached' });
  });
});
