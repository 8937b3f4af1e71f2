import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import OpenAI from 'openai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { RunControl } from 'runfence';
import { Hold, type ModelReply, type ModelServer, startModelServer } from 'runfence/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildPage } from '../../examples/ai-sdk-chat/build.js';
import { createChatServer } from '../../examples/ai-sdk-chat/server.js';
import { startChromium } from './support/chromium.js';

/** `CURRENT=.cache/current`: a copy of the page in there, which gets its packages from there. */
function page(): URL | undefined {
  const { CURRENT } = process.env;
  if (CURRENT === undefined) return undefined;
  const copy = join(resolve(CURRENT), 'page.tsx');
  copyFileSync(new URL('../../examples/ai-sdk-chat/page.tsx', import.meta.url), copy);
  return pathToFileURL(copy);
}

let browser: Browser;
let script: string;
beforeAll(async () => {
  [browser, script] = await Promise.all([startChromium(), buildPage(page())]);
});
afterAll(async () => browser.close());

let user: BrowserContext;
let url: string;
let control: RunControl;
let model: ModelServer;
/** What the model says to each message. */
let replies: Record<string, ModelReply>;
let ended: (string | undefined)[];
let troubles: string[];
let close: () => Promise<void>;

beforeEach(async () => {
  replies = {};
  ended = [];
  troubles = [];
  model = await startModelServer(({ messages }) => replies[String(messages.at(-1)?.content)] ?? 'what?');
  const client = new OpenAI({ baseURL: model.baseURL, apiKey: 'any' });
  const created = createChatServer(client, 'scripted', script);
  const { server } = created;
  control = created.control;
  control.on('run:ended', ({ run }) => ended.push(run.reason ?? run.status));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/chats/c1`;
  user = await browser.newContext();
  close = async () => {
    await user.close();
    await control.drain({ graceMs: 0 });
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await model.close();
  };
});
afterEach(async () => {
  await close();
  expect([troubles, model.problems, control.runs.list()]).toEqual([[], [], []]);
});

async function open(): Promise<Page> {
  const page = await user.newPage();
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('console', (message) => {
    // zod tries whether it may make functions of strings. The page does not let it.
    if (message.type() === 'error' && !message.text().includes('script-src')) troubles.push(message.text());
  });
  await page.goto(url);
  await isReady(page);
  return page;
}

async function send(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const stop = (page: Page): Promise<void> => page.getByRole('button', { name: 'Stop' }).click();
const shown = (page: Page): Promise<string[]> => page.getByRole('listitem').allTextContents();
const shows = async (page: Page, ...lines: string[]): Promise<void> =>
  expect.poll(() => shown(page), { timeout: 15_000 }).toEqual(lines);
const isReady = async (page: Page): Promise<void> =>
  expect.poll(() => page.getByRole('status').textContent(), { timeout: 15_000 }).toBe('ready');

describe('useChat in Chromium', () => {
  test('a message is answered, and the page shows it again when it is loaded (L17)', async () => {
    replies.hi = 'hello there';
    const page = await open();
    await send(page, 'hi');
    await shows(page, 'user: hi', 'assistant: hello there');
    await isReady(page);
    await page.reload();
    await shows(page, 'user: hi', 'assistant: hello there');
    expect(ended).toEqual(['completed']);
  });

  test('a reload in mid-answer resumes it, and it goes on to its end (L19)', async () => {
    const hold = new Hold();
    replies.hi = ['one ', hold, 'two'];
    const page = await open();
    await send(page, 'hi');
    await shows(page, 'user: hi', 'assistant: one ');
    await page.reload();
    await shows(page, 'user: hi', 'assistant: one ');
    hold.open();
    await shows(page, 'user: hi', 'assistant: one two');
    await isReady(page);
    expect([ended, model.requests.length]).toEqual([['completed'], 1]);
  });

  test('Stop stops the answer, also one that was resumed, and the page is ready for the next message (L18)', async () => {
    replies.hi = ['one ', new Hold()];
    replies.again = 'hello';
    const page = await open();
    await send(page, 'hi');
    await shows(page, 'user: hi', 'assistant: one ');
    await page.reload();
    await shows(page, 'user: hi', 'assistant: one ');
    await stop(page);
    await isReady(page);
    await model.requests[0]?.whenEnded;
    expect([ended, model.requests[0]?.isHungUp]).toEqual([['user'], true]);
    await send(page, 'again');
    await shows(page, 'user: hi', 'assistant: one ', 'user: again', 'assistant: hello');
  });

  test('Stop in a second tab stops it in both (L19)', async () => {
    replies.hi = ['one ', new Hold()];
    const first = await open();
    await send(first, 'hi');
    await shows(first, 'user: hi', 'assistant: one ');
    const second = await user.newPage();
    await second.goto(url);
    await shows(second, 'user: hi', 'assistant: one ');
    await stop(second);
    for (const page of [first, second]) {
      await isReady(page);
      await shows(page, 'user: hi', 'assistant: one ');
    }
    expect(ended).toEqual(['user']);
  });

  test('a message that is sent while it answers takes over, and each answer is shown once (L4)', async () => {
    replies.hi = ['one ', new Hold()];
    replies['no, this'] = 'second';
    const page = await open();
    await send(page, 'hi');
    await shows(page, 'user: hi', 'assistant: one ');
    await send(page, 'no, this');
    const all = ['user: hi', 'assistant: one ', 'user: no, this', 'assistant: second'];
    await shows(page, ...all);
    await isReady(page);
    await page.reload();
    await shows(page, ...all);
    expect(ended).toEqual(['superseded', 'completed']);
  });

  test('another user sees nothing of it, and stops nothing (L19)', async () => {
    const hold = new Hold();
    replies.hi = ['one ', hold, 'two'];
    const page = await open();
    await send(page, 'hi');
    await shows(page, 'user: hi', 'assistant: one ');
    const stranger = await browser.newContext();
    const other = await stranger.newPage();
    await other.goto(url);
    await isReady(other);
    expect(await shown(other)).toEqual([]);
    const answer = await other.evaluate(async () => (await fetch('/api/chat/c1/stop', { method: 'POST' })).json());
    expect(answer).toMatchObject({ result: 'nothing-running' });
    hold.open();
    await shows(page, 'user: hi', 'assistant: one two');
    await stranger.close();
    expect(ended).toEqual(['completed']);
  });
});
