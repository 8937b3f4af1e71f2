import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { request, stream } from 'undici';
import { describe, expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { errorOf, type Served, served, talks, until } from './support/served.js';

const PATH = '/v1/chat/completions';
const whole = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] });
const streaming = whole.replace('{', '{"stream":true,');
const headers = { authorization: 'Bearer ada', 'content-type': 'application/json' };

/** The first run has an answer, and the next ones are left by their client, each in its way: as `disconnect`, once. */
async function leaves(there: Served, ways: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const [at, leave] of ways.entries()) {
    await leave();
    await until(() => there.ended.length > at);
  }
  expect(there.ended).toEqual(ways.map(() => 'disconnect'));
  await until(() => there.control.runs.list().length === 0 && there.open() === 0);
}

/** The run of a request without an answer yet has begun. */
async function begun({ control }: Served): Promise<void> {
  await until(() => control.runs.list().some(({ status }) => status === 'running'));
}

describe('the fetch of Node, on a real socket', () => {
  test('reads a stream and an answer in one piece', async () => {
    const { url } = await served(says('hello'));
    const ask = (body: string) => fetch(url + PATH, { method: 'POST', headers, body });
    expect(await (await ask(streaming)).text()).toContain('[DONE]');
    expect(await (await ask(whole)).text()).toContain('"content":"hello"');
  });

  test('an abort, a cancelled body and an abort before the answer stop the run as disconnect, once (B1)', async () => {
    const there = await served(talks);
    const ask = (body: string, signal?: AbortSignal) =>
      fetch(there.url + PATH, { method: 'POST', headers, body, ...(signal && { signal }) });
    await leaves(there, [
      async () => {
        const gone = new AbortController();
        await ask(streaming, gone.signal);
        gone.abort();
      },
      async () => (await ask(streaming)).body?.cancel(),
      async () => {
        const gone = new AbortController();
        const asking = errorOf(ask(whole, gone.signal));
        await begun(there);
        gone.abort();
        expect(await asking).toMatchObject({ name: 'AbortError' });
      },
    ]);
  });
});

describe('undici, on a real socket', () => {
  test('request and stream read an answer', async () => {
    const { url } = await served(says('hello'));
    const answer = await request(url + PATH, { method: 'POST', headers, body: whole });
    expect(await answer.body.json()).toMatchObject({ choices: [{ message: { content: 'hello' } }] });
    const { body } = await request(url + PATH, { method: 'POST', headers, body: streaming });
    expect(await body.text()).toContain('[DONE]');
  });

  test('destroy() of the body, a signal, a time-out and a stream that fails stop the run as disconnect, once (B1)', async () => {
    const there = await served(talks);
    const ask = (body: string, more: { signal?: AbortSignal; headersTimeout?: number } = {}) =>
      request(there.url + PATH, { method: 'POST', headers, body, ...more });
    await leaves(there, [
      async () => {
        const { body } = await ask(streaming);
        body.on('error', () => {}).destroy();
      },
      async () => {
        const gone = new AbortController();
        const { body } = await ask(streaming, { signal: gone.signal });
        gone.abort();
        expect(await errorOf(body.text())).toMatchObject({ name: 'AbortError' });
      },
      async () => {
        const gone = new AbortController();
        const asking = errorOf(ask(whole, { signal: gone.signal }));
        await begun(there);
        gone.abort();
        expect(await asking).toMatchObject({ name: 'AbortError' });
      },
      async () => {
        const asking = ask(whole, { headersTimeout: 100 });
        expect(await errorOf(asking)).toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' });
      },
      async () => {
        const failing = stream(there.url + PATH, { method: 'POST', headers, body: streaming }, () => {
          throw new Error('no place for it');
        });
        expect(await errorOf(failing)).toMatchObject({ message: 'no place for it' });
      },
    ]);
  });
});

describe('curl, on a real socket', () => {
  const args = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);

  test('reads a stream and an answer in one piece', async () => {
    const { url } = await served(says('hello'));
    const curl = async (body: string) => promisify(execFile)('curl', ['-sN', ...args, '-d', body, url + PATH]);
    const { stdout } = await curl(streaming);
    expect(stdout).toContain('"content":"hello"');
    expect(stdout.trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(JSON.parse((await curl(whole)).stdout)).toMatchObject({ choices: [{ message: { content: 'hello' } }] });
  });

  test('a stop ends its stream in order: it exits with 0 (L2)', async () => {
    const { url, control } = await served(talks);
    const child = execFile('curl', ['-sN', ...args, '-d', streaming, url + PATH]);
    let text = '';
    child.stdout?.on('data', (part: string) => {
      if (!text.includes('one ') && (text + part).includes('one ')) void control.abort('all');
      text += part;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([code, text.trimEnd().endsWith('data: [DONE]')]).toEqual([0, true]);
  });

  test('Ctrl-C, a kill and --max-time stop the run as disconnect, once (B1)', async () => {
    const there = await served(talks);
    const curl = (body: string, ...more: string[]) =>
      execFile('curl', ['-sN', ...more, ...args, '-d', body, there.url + PATH]);
    const ended = (child: ReturnType<typeof execFile>) => new Promise((resolve) => child.once('close', resolve));
    const killed = (signal: NodeJS.Signals) => async () => {
      const child = curl(streaming);
      child.stdout?.once('data', () => child.kill(signal));
      await ended(child);
    };
    await leaves(there, [
      killed('SIGINT'),
      killed('SIGKILL'),
      async () => {
        const child = curl(whole);
        await begun(there);
        child.kill('SIGINT');
        await ended(child);
      },
      // 28: it has timed out. Without an answer, whatever the machine has done before.
      async () => expect(await ended(curl(whole, '--max-time', '2'))).toBe(28),
    ]);
  });
});
