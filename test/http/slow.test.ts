import { flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import type { Script } from '../agent/support/scripted.js';
import { untilCut } from '../support/work.js';
import { allEvents, readEvents } from './support/sse.js';
import { httpStage } from './support/stage.js';

const CHAT = '/v1/chat/completions';
const stream = { model: 'any', messages: [{ role: 'user', content: 'hi' }], stream: true };

const silent: Script = async ({ run }) => untilCut(run);
/** In turns, so that they do not become one. */
const chatty: Script = async ({ input, run }) => {
  for (let at = 0; at < 100; at += 1) input.emit({ type: at % 2 === 0 ? 'text' : 'reasoning', text: `word ${at} ` });
  await untilCut(run);
};

describe('slow models and slow clients', () => {
  test('a comment goes out into a silence, and none into a stream that speaks or is over (B16)', async () => {
    const { ask, clock, control } = httpStage(silent, { http: { limits: { heartbeatMs: 1_000, stallMs: 10_000 } } });
    const events = readEvents(await ask('POST', CHAT, stream));
    await events.next(); // the role
    const beat = events.next();
    await flush();
    await clock.advance(2_000);
    expect((await beat).value).toMatchObject({ event: ':' });
    const last = events.next();
    await flush();
    await control.abort('all');
    expect((await last).value).toMatchObject({ data: expect.stringContaining('x_run') });
    for await (const { event } of events) expect(event).toBeUndefined();
  });

  test('comments pause while the client does not read, and do not keep it (B16)', async () => {
    const { ask, clock, control } = httpStage(silent, { http: { limits: { heartbeatMs: 1_000, stallMs: 5_000 } } });
    const response = await ask('POST', CHAT, stream);
    const reader = response.body?.getReader();
    await reader?.read();
    const waiting = reader?.read(); // gets one comment, and then nobody reads
    await flush();
    for (let at = 0; at < 12; at += 1) await clock.advance(1_000);
    expect(new TextDecoder().decode((await waiting)?.value)).toBe(': keep-alive\n\n');
    await expect(reader?.read().then(() => reader.read())).rejects.toThrow('does not read');
    await flush();
    expect(control.runs.list()).toEqual([]);
  });

  test('of many comments one waits for a client that does not read (B16)', async () => {
    const { ask, clock } = httpStage(silent, { http: { limits: { heartbeatMs: 1_000, stallMs: 60_000 } } });
    const reader = (await ask('POST', CHAT, stream)).body?.getReader();
    await reader?.read();
    const got: unknown[] = [];
    const read = async (): Promise<void> => void got.push((await reader?.read())?.value?.length);
    void read();
    await flush();
    for (let at = 0; at < 20; at += 1) await clock.advance(1_000);
    void read();
    void read();
    await flush();
    expect(got).toEqual([14, 14]);
    await reader?.cancel();
    await flush();
  });

  test('a client that does not read has left after the bound, and its run is stopped (L15)', async () => {
    const { ask, clock, control } = httpStage(chatty, { http: { limits: { stallMs: 1_000 } } });
    const ended: unknown[] = [];
    control.on('run:ended', ({ run }) => ended.push(run.reason));
    const response = await ask('POST', CHAT, stream);
    const reader = response.body?.getReader();
    await reader?.read();
    await flush();
    await clock.advance(1_000);
    await clock.advance(1_000);
    await flush();
    expect(ended).toEqual(['disconnect']);
    await expect(reader?.read()).rejects.toThrow('does not read');
  });

  test('with whenUnwatched: continue the run of a client that does not read goes on (L15)', async () => {
    const http = { limits: { stallMs: 1_000 }, whenUnwatched: 'continue' } as const;
    const { ask, clock, control } = httpStage(chatty, { http });
    const reader = (await ask('POST', CHAT, stream)).body?.getReader();
    await reader?.read();
    await flush();
    await clock.advance(1_000);
    await clock.advance(1_000);
    await expect(reader?.read()).rejects.toThrow('does not read');
    await flush();
    expect(control.runs.list().map(({ status }) => status)).toEqual(['running']);
    await control.drain({ graceMs: 0 });
  });

  test('a client that reads slowly, and reads, stays (L15)', async () => {
    const { ask, clock, control } = httpStage(chatty, { http: { limits: { stallMs: 1_000 } } });
    const response = await ask('POST', CHAT, stream);
    const reader = response.body?.getReader();
    for (let at = 0; at < 10; at += 1) {
      await reader?.read();
      await clock.advance(900);
    }
    expect(control.runs.list().map(({ status }) => status)).toEqual(['running']);
    await reader?.cancel();
    await flush();
  });

  test('an answer that is never read does not keep its run for ever (L15)', async () => {
    const { ask, clock, control } = httpStage(chatty);
    await ask('POST', CHAT, stream);
    await clock.advance(60_000);
    await flush();
    expect(control.runs.list()).toEqual([]);
  });

  test('what a slow client has missed is an error, and never left out silently (L16)', async () => {
    const { ask } = httpStage(
      async ({ input }) => {
        for (let at = 0; at < 50; at += 1) input.emit({ type: 'data', name: 'n', data: at });
        input.emit({ type: 'text', text: 'the end' });
      },
      { runner: { streams: { maxEvents: 5 } }, http: { whenUnwatched: 'continue' } },
    );
    const response = await ask('POST', CHAT, stream);
    await flush();
    const data = (await allEvents(response)).map((event) => event.data);
    expect(data.at(-1)).toContain('events_lost');
    expect(data.join()).not.toContain('the end');
  });
});
