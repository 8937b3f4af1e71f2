import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import OpenAI from 'openai';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import type { OpenAITool } from 'runfence/openai';
import { type ModelReply, startModelServer } from 'runfence/testing';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type App, startApp } from '../../../examples/gateway/app.js';
import { startChromium } from './chromium.js';

/** What the model says to a message, or to the result of a tool. */
export type Replies = Readonly<Record<string, ModelReply>>;

export interface PageStage {
  readonly app: App;
  readonly model: Awaited<ReturnType<typeof startModelServer>>;
  /** Breaks every WebSocket, as a network does: nothing is said about it. @returns lets new ones in again */
  cut(): () => void;
  /** A browser of its own: no other user's storage. */
  user(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** A page that is ready, of a new user or of one that is given. */
  open(user?: BrowserContext | BrowserContextOptions, address?: string): Promise<PageOfUser>;
}

let browser: Browser;
let folder: string;
let client: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runfence-page-'));
  client = join(folder, 'client.js');
  // The page loads the client that is tested, and no build of another day.
  const entry = fileURLToPath(new URL('../../../src/gateway/client/index.ts', import.meta.url));
  [browser] = await Promise.all([
    startChromium(),
    build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'browser', outfile: client }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The server of examples/gateway with a scripted model, and real browsers in front of it. */
export async function pageStage(
  replies: Replies,
  options: { readonly tokens?: string; readonly tools?: readonly OpenAITool[] } = {},
): Promise<PageStage> {
  const troubles: string[] = [];
  const model = await startModelServer(({ messages }) => {
    const { content } = messages.at(-1) ?? {};
    const said = typeof content === 'string' ? content : JSON.stringify(content);
    return replies[said] ?? `You said: ${said}`;
  });
  const app = await startApp({
    model: {
      client: new OpenAI({ baseURL: model.baseURL, apiKey: 'any', maxRetries: 0 }),
      name: 'scripted',
      close: () => model.close(),
    },
    folder: await mkdtemp(join(folder, 'data-')),
    client,
    onError: (error) => troubles.push(String(error)),
    ...options,
  });
  const users: BrowserContext[] = [];
  const sockets: Promise<unknown>[] = [];
  const upgraded = new Set<Duplex>();
  let network: 'whole' | 'broken' | 'there' = 'whole';
  app.server.prependListener('upgrade', (_, socket) => {
    if (network === 'broken') socket.destroy();
    upgraded.add(socket);
    sockets.push(new Promise((done) => socket.once('close', done)));
    socket.once('close', () => upgraded.delete(socket));
  });
  closers.push(async () => {
    for (const user of users) await user.close();
    await app.close();
    await model.close();
    await Promise.all(sockets);
    // The WebSocket hears of it behind its socket.
    await new Promise(setImmediate);
    expect([troubles, model.problems]).toEqual([[], []]);
  });

  const user = async (given: BrowserContextOptions = {}): Promise<BrowserContext> => {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...given });
    users.push(context);
    return context;
  };
  const open = async (given: BrowserContext | BrowserContextOptions = {}, address = ''): Promise<PageOfUser> => {
    const context = 'newPage' in given ? given : await user(given);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => troubles.push(String(error)));
    page.on('console', (message) => {
      // The browser says of each attempt that it has failed.
      const isExpected = network !== 'whole' && message.text().startsWith('WebSocket connection to ');
      if (message.type() === 'error' && !isExpected) troubles.push(message.text());
    });
    await page.goto(`${app.url}/${address}`);
    return new PageOfUser(page);
  };
  const cut = (): (() => void) => {
    network = 'broken';
    for (const socket of upgraded) socket.destroy();
    return () => {
      network = 'there';
    };
  };
  return { app, model, cut, user, open };
}

/** What a person sees and does, in the words of the page. */
export class PageOfUser {
  readonly page: Page;
  readonly message: Locator;
  readonly stop: Locator;
  readonly turns: Locator;
  readonly sessions: Locator;
  readonly receipts: Locator;

  constructor(page: Page) {
    this.page = page;
    this.message = page.getByRole('textbox', { name: 'Message' });
    this.stop = page.getByRole('button', { name: /^Stop( Esc)?$/ });
    this.turns = page.getByRole('region').getByRole('list').first().locator('> li');
    this.sessions = page.getByRole('navigation', { name: 'Conversations' }).getByRole('listitem');
    this.receipts = page.locator('details.receipt');
  }

  /** Writes a message and sends it by Enter. `choice`: what it does to the answer under way. */
  async say(text: string, choice?: 'Take over' | 'Wait in line' | 'Steer'): Promise<void> {
    if (choice !== undefined) await this.page.getByRole('radio', { name: choice }).check({ force: true });
    await this.message.fill(text);
    await this.message.press('Enter');
  }

  /** Waits until the page shows these texts. What it suggests to a newcomer is nobody's words. */
  async shows(...texts: (string | RegExp)[]): Promise<void> {
    const said = this.page.locator(':not(#empty, #empty *)');
    for (const text of texts) await this.page.getByText(text).and(said).filter({ visible: true }).first().waitFor();
  }

  /** The answers that are there, in order. */
  async answers(): Promise<string[]> {
    const texts = await this.page.locator('.answer').allTextContents();
    return texts.map((text) => text.replace(/^Answer: /, ''));
  }

  /** The rows of a receipt, as `label: text`. */
  async rows(receipt: Locator): Promise<string[]> {
    const rows = await receipt.getByRole('listitem').all();
    return Promise.all(
      rows.map(async (row) => {
        const [label, text] = [row.locator('.row-label'), row.locator('.row-text')];
        return `${await label.textContent()}: ${await text.textContent()}`;
      }),
    );
  }

  async isIdle(): Promise<void> {
    await this.stop.waitFor({ state: 'hidden' });
  }
}
