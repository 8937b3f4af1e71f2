import { ADMIN, createRunControl, RunAbortedError, RunfenceError } from 'runfence';
import { publicReceipt, toHttpStatus } from 'runfence/http';
import { describe, expect, test } from 'vitest';
import { untilCut } from '../support/work.js';

/** Frozen by the clients: 408, 409, 429 and 5xx are what they run again by themselves. */
const TABLE: readonly (readonly [unknown, number, string | undefined])[] = [
  [{ status: 'completed', value: 1 }, 200, undefined],
  [{ status: 'started' }, 200, undefined],
  [{ status: 'queued' }, 200, undefined],
  [{ status: 'steered' }, 200, undefined],
  [{ status: 'duplicate' }, 200, undefined],
  [{ status: 'timeout' }, 202, undefined],
  [{ status: 'unknown' }, 404, 'not_found'],
  [{ status: 'aborted', reason: 'user' }, 499, 'run_aborted'],
  [{ status: 'failed', error: new Error('secret') }, 500, 'run_failed'],
  [{ status: 'rejected', cause: 'busy' }, 409, 'session_busy'],
  [{ status: 'rejected', cause: 'not-quiet' }, 409, 'session_not_quiet'],
  [{ status: 'rejected', cause: 'forbidden' }, 404, 'not_found'],
  [{ status: 'rejected', cause: 'draining' }, 503, 'draining'],
  [new RunAbortedError('superseded'), 499, 'run_aborted'],
  [new RunfenceError('INVALID_OPTIONS', 'secret'), 400, 'invalid_request'],
  [new RunfenceError('RUN_ID_CONFLICT', 'secret'), 422, 'run_id_conflict'],
  [new RunfenceError('BACKEND_UNAVAILABLE', 'secret'), 503, 'backend_unavailable'],
  [new RunfenceError('CLOSED', 'secret'), 503, 'draining'],
  [new RunfenceError('BODY_CONSUMED', 'secret'), 500, 'internal_error'],
  [new Error('secret'), 500, 'internal_error'],
  // What was caught may be anything.
  ['secret', 500, 'internal_error'],
  [undefined, 500, 'internal_error'],
  [Object.assign(new Error('secret'), { status: 'completed' }), 500, 'internal_error'],
  [{ status: 'constructor' }, 500, 'internal_error'],
];

describe('toHttpStatus', () => {
  test.each(TABLE)('%o is %i, %s', (given, status, code) => {
    const answer = toHttpStatus(given);
    expect(answer).toMatchObject({ status, code });
    // No client gets a message, an id or a stack of what was caught.
    expect(JSON.stringify(answer)).not.toMatch(/secret|\.ts/);
  });

  test('what was stopped or has failed is asked for once', () => {
    for (const given of [{ status: 'aborted' }, { status: 'failed' }, new RunAbortedError('timeout')]) {
      expect(toHttpStatus(given).headers).toEqual({ 'x-should-retry': 'false' });
    }
    expect(toHttpStatus({ status: 'rejected', cause: 'draining' }).headers).toEqual({});
  });

  test('an object that throws when it is looked at is an error like any other', () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('a trap');
        },
      },
    );
    expect(toHttpStatus(hostile)).toMatchObject({ status: 500, code: 'internal_error' });
  });
});

test('publicReceipt: a refused stop is the same as one that found nothing, and names neither requester nor node', async () => {
  const control = createRunControl({ retention: { max: 0 } });
  const running = control.run({ sessionKey: 's', runId: 'r', owner: { userId: 'ada' } }, untilCut);
  const asEve = { requester: { userId: 'eve' } };
  const refused = publicReceipt(await control.abort({ runId: 'r' }, asEve));
  expect(refused).toEqual(publicReceipt(await control.abort({ runId: 'none' }, asEve)));
  expect(refused).toEqual({ result: 'nothing-running', runIds: [], queuedRunIds: [], reason: 'user' });
  const stopped = publicReceipt(await control.abort({ runId: 'r' }, { requester: ADMIN }));
  expect(stopped).toEqual({ result: 'aborted', runIds: ['r'], queuedRunIds: [], recorded: 'local', reason: 'user' });
  await running;
});
