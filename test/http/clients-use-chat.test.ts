import { describe, expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { Page } from './support/chat.js';
import { served, talks, until } from './support/served.js';

async function start(...given: Parameters<typeof served>) {
  const there = await served(...given);
  const stop = async (id: string) =>
    fetch(`${there.url}/api/chat/${id}/stop`, { method: 'POST', headers: { authorization: 'Bearer ada' } });
  return { ...there, stop };
}

const GOES_ON = { http: { whenUnwatched: 'continue' } } as const;

describe('useChat of the AI SDK, on a real socket', () => {
  test('sends, shows the answer, and regenerates it (L17)', async () => {
    const { url } = await start([says('hello'), says('hello again')]);
    const page = new Page(url, 'c1');
    await page.sendMessage({ text: 'hi' });
    expect([page.status, page.shown]).toEqual(['ready', ['user: hi', 'assistant: hello']]);
    expect(page.parts.map(({ state }) => state)).toEqual([undefined, 'done']);
    await page.regenerate();
    expect([page.told, page.shown]).toEqual([
      ['finish', 'finish'],
      ['user: hi', 'assistant: hello again'],
    ]);
  });

  test('stop() of the page ends at once, and is a hang-up: it stops the run (L5)', async () => {
    const { url, ended } = await start(talks);
    const page = new Page(url, 'c1');
    const sending = page.sendMessage({ text: 'hi' });
    await until(() => page.shown.at(-1) === 'assistant: one ');
    await page.stop();
    await sending;
    await until(() => ended.length > 0);
    expect([page.told, page.status, ended]).toEqual([['abort'], 'ready', ['disconnect']]);
  });

  test('the stop route ends the answer in order: no error, and no part that is still streaming (L18)', async () => {
    const { url, ended, stop, control } = await start(talks, GOES_ON);
    const page = new Page(url, 'c1');
    const sending = page.sendMessage({ text: 'hi' });
    await until(() => page.shown.at(-1) === 'assistant: one ');
    expect((await stop('c1')).status).toBe(200);
    await sending;
    expect([page.status, page.error, ended]).toEqual(['ready', undefined, ['user']]);
    expect(page.parts.map(({ state }) => state)).toEqual([undefined, 'done']);
    await until(() => control.runs.list().length === 0);
  });

  test('a page that is loaded again resumes, and can stop; the first tab sees it too (L19)', async () => {
    const { url, ended, stop, control } = await start(talks, GOES_ON);
    const first = new Page(url, 'c1');
    const sending = first.sendMessage({ text: 'hi' });
    await until(() => first.shown.at(-1) === 'assistant: one ');
    const second = new Page(url, 'c1', first.messages.slice(0, 1));
    const resuming = second.resumeStream();
    await until(() => second.shown.at(-1) === 'assistant: one ');
    await stop('c1');
    await Promise.all([sending, resuming]);
    expect([first.shown, second.shown, second.status, ended]).toEqual([first.shown, first.shown, 'ready', ['user']]);
    const third = new Page(url, 'c1', first.messages);
    await third.resumeStream();
    expect([third.status, third.shown]).toEqual(['ready', first.shown]);
    await until(() => control.runs.list().length === 0);
  });

  test('a new message while it answers takes over: the old answer ends in order (L4)', async () => {
    const { url, ended, control } = await start([talks, says('second')], GOES_ON);
    const page = new Page(url, 'c1');
    const sending = page.sendMessage({ text: 'hi' });
    await until(() => page.shown.at(-1) === 'assistant: one ');
    const other = new Page(url, 'c1', page.messages);
    await other.sendMessage({ text: 'no, this' });
    await sending;
    expect([page.status, other.shown.at(-1), ended]).toEqual([
      'ready',
      'assistant: second',
      ['superseded', 'completed'],
    ]);
    await until(() => control.runs.list().length === 0);
  });

  test('a call of the page is answered by addToolOutput, and the answer goes on (L20)', async () => {
    const { url, agent } = await start([
      async (turn) => {
        turn.ask();
        turn.clientTool('call-1', 'where');
        turn.input.emit({ type: 'tool-start', callId: 'call-1', name: 'where', input: {}, effect: 'read' });
        return { reason: 'client-tools' };
      },
      says('thanks'),
    ]);
    const page = new Page(url, 'c1');
    await page.sendMessage({ text: 'where am I?' });
    expect(page.parts.map(({ state }) => state)).toContain('input-available');
    await page.addToolOutput({ tool: 'where', toolCallId: 'call-1', output: 'here' });
    await until(() => page.status === 'ready' && page.shown.at(-1)?.endsWith('thanks') === true);
    expect([page.told, agent.problems]).toEqual([['finish', 'finish'], []]);
  });

  test('a question is answered while the stream waits for it (L22)', async () => {
    const { url } = await start(async ({ tool, say }) => {
      await tool('pay', () => 'paid', { asks: true });
      say('done');
    });
    const page = new Page(url, 'c1');
    const sending = page.sendMessage({ text: 'pay' });
    await until(() => page.parts.some(({ state }) => state === 'approval-requested'));
    const { approval } = page.parts.find(({ state }) => state === 'approval-requested') as unknown as {
      approval: { id: string };
    };
    const headers = { authorization: 'Bearer ada', 'content-type': 'application/json' };
    const body = JSON.stringify({ approved: true });
    await fetch(`${url}/approvals/${approval.id}`, { method: 'POST', headers, body });
    await sending;
    expect([page.status, page.shown.at(-1)]).toEqual(['ready', 'assistant: done']);
  });

  test('a failure is the page’s error (L3)', async () => {
    const { url } = await start(async () => Promise.reject(new Error('hunter2')));
    const page = new Page(url, 'c1');
    await page.sendMessage({ text: 'hi' });
    expect([page.status, page.error?.message]).toEqual(['error', 'The turn has failed.']);
  });
});
