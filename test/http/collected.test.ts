import { describe, expect, test } from 'vitest';
import { untilCut } from '../support/work.js';
import { httpStage } from './support/stage.js';

const body = { model: 'any', messages: [{ role: 'user', content: 'hi' }] };

describe('a request that nobody keeps but the handlers', () => {
  test.each([false, true])('its client leaves after it could be collected, stream: %s (L5)', async (stream) => {
    const { ask, control } = httpStage(async ({ run }) => untilCut(run));
    const client = new AbortController();
    const ended = new Promise((resolve) => control.on('run:ended', ({ run }) => resolve(run.reason)));
    const started = new Promise<void>((resolve) => control.on('run:started', () => resolve()));
    // In Node the signal of a Request that is collected is not aborted any more.
    const answered = ask('POST', '/v1/chat/completions', { ...body, stream }, {}, { signal: client.signal });
    await started;
    const response = stream ? await answered : undefined;
    const read = response?.text().catch(() => {});
    for (let at = 0; at < 4; at += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      globalThis.gc?.();
    }
    client.abort();
    expect(await ended).toBe('disconnect');
    await answered;
    await read;
  });
});
