// An SDK that sleeps before it tries again does not look at the run. The real `openai` package, against a server over a
// real socket.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { createRunControl, type Run } from 'runfence';
import { afterEach, describe, expect, test } from 'vitest';

const RETRY_AFTER_MS = 200;
/** The stop: after the answer, and long before the SDK wakes. */
const STOP_AFTER_MS = 20;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Given {
  readonly gate: boolean;
  readonly signal: boolean;
}

/** A request that is refused and a stop while the SDK waits: what has arrived at the server when the SDK has given up. */
async function stopWhileAsleep(status: number, { gate, signal }: Given) {
  const seen = { arrived: 0, attempts: 0, attemptsAtStop: 0, errors: [] as unknown[], failure: undefined as unknown };
  const server = createServer((_req, res) => {
    seen.arrived += 1;
    res.writeHead(status, { 'retry-after': String(RETRY_AFTER_MS / 1_000) }).end();
  }).listen(0, '127.0.0.1');
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const control = createRunControl({ onError: (error) => seen.errors.push(error) });

  const stop = (): void => {
    seen.attemptsAtStop = seen.attempts;
    void control.abort({ sessionKey: 'chat-1' });
  };
  const ask = (run: Run): Promise<unknown> => {
    const guarded = gate ? run.gate(fetch, { name: 'model' }) : fetch;
    const client = new OpenAI({
      baseURL,
      apiKey: 'none',
      maxRetries: 1,
      async fetch(url, init) {
        seen.attempts += 1;
        const response = await guarded(url, init);
        if (seen.attempts === 1) setTimeout(stop, STOP_AFTER_MS);
        return response;
      },
    });
    const request = { model: 'm', messages: [] };
    return client.chat.completions.create(request, signal ? { signal: run.signal } : {});
  };
  const outcome = await control.run({ sessionKey: 'chat-1' }, async (run) => {
    try {
      await ask(run);
    } catch (error) {
      seen.failure = error;
      throw error;
    }
  });
  expect(outcome).toMatchObject({ status: 'aborted', reason: 'user' });
  if (outcome.status !== 'aborted') return seen;
  expect((await outcome.whenQuiet({ timeoutMs: 10_000 })).quiet).toBe(true); // the SDK has given up by then
  expect(seen.attemptsAtStop).toBe(1);
  return seen;
}

describe.each([429, 500])('an SDK that waits after a %i', (status) => {
  test('asks again after the stop, without the gate and without the signal', async () => {
    const { arrived, attempts } = await stopWhileAsleep(status, { gate: false, signal: false });
    expect({ arrived, attempts }).toEqual({ arrived: 2, attempts: 2 });
  });

  test('tries in vain with a gated fetch alone: no request arrives, and it takes the refusal for a timeout', async () => {
    const { arrived, attempts, failure, errors } = await stopWhileAsleep(status, { gate: true, signal: false });
    expect({ arrived, attempts }).toEqual({ arrived: 1, attempts: 2 });
    expect(failure).toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
    expect(errors).toHaveLength(2);
    expect(errors).toEqual(expect.arrayContaining([expect.objectContaining({ code: 'SIGNAL_UNREAD' }), failure]));
  });

  test('does not even try with the signal and a gated fetch', async () => {
    const { arrived, attempts, errors } = await stopWhileAsleep(status, { gate: true, signal: true });
    expect({ arrived, attempts }).toEqual({ arrived: 1, attempts: 1 });
    expect(errors).toEqual([]);
  });
});
