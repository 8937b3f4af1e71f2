import { type EndRequest, memory } from 'runfence/backend';
import { FaultyBackend, flush } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { watching } from '../../support/sources.js';
import { tracked } from '../../support/tracked.js';
import { untilCut } from '../../support/work.js';

const TIMEOUT_MS = 1_000;

/** A node whose backend the test cuts off, and another one on the same records. */
function twoNodes({ hasLease = false }: { readonly hasLease?: boolean } = {}) {
  const state = memory();
  const backend = new FaultyBackend({ over: state, hasLease });
  const { control, clock } = tracked({ backend, defaults: { backendTimeoutMs: TIMEOUT_MS } });
  const other = tracked({ backend: new FaultyBackend({ over: state }) }, clock).control;
  return { state, backend, control, clock, other };
}

/** A run that its caller gives up while its claim is on its way, which takes effect. */
async function cutWhileAsked({ backend, control }: ReturnType<typeof twoNodes>) {
  const caller = new AbortController();
  backend.hold('claim', 'after');
  const result = watching(control.run({ sessionKey: 's', runId: 'r', signal: caller.signal }, untilCut));
  await flush();
  caller.abort();
  const outcome = watching(control.wait('r'));
  await flush();
  expect(outcome.state).toBe('pending');
  return { result, outcome };
}

describe('an aborted outcome is not said to be confirmed', () => {
  test('of a run that was cut before its claim was answered, and whose answer does not come (I26)', async () => {
    const nodes = twoNodes();
    const { backend, clock, other } = nodes;
    const { result, outcome } = await cutWhileAsked(nodes);
    const next = await begin(other);
    expect(await other.wait('r')).toMatchObject({ status: 'aborted', reason: 'superseded', confirmed: true });
    await clock.advance(TIMEOUT_MS);
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'upstream', confirmed: false });
    backend.release('claim');
    next.complete();
    await clock.advance(2 * TIMEOUT_MS);
    expect(result.state).not.toBe('pending');
  });

  test('of one that was granted after its cut, and whose end is not answered (I26)', async () => {
    const nodes = twoNodes();
    const { backend, clock } = nodes;
    const { result, outcome } = await cutWhileAsked(nodes);
    backend.hold('end');
    backend.release('claim');
    // The bound of the request, and one more in which it is sent again.
    await clock.advance(2 * TIMEOUT_MS);
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'upstream', confirmed: false });
    backend.release('end');
    await clock.advance(2 * TIMEOUT_MS);
    expect(result.state).not.toBe('pending');
  });

  test.each([
    ['with a lease that ends', true],
    ['without leases', false],
  ])('of one that the record has lost and cannot be asked about, %s; and it is told (I26)', async (_, hasLease) => {
    const { state, backend, control, clock } = twoNodes({ hasLease });
    const outcome = watching(control.run({ sessionKey: 's', runId: 'r' }, untilCut));
    await flush();
    backend.hold('readRun');
    await state.end(endOf(control.runs.get('r')));
    backend.tellGap();
    await flush();
    expect(control.runs.get('r')).toMatchObject({ status: 'stopping', reason: 'heartbeat-lost' });
    if (hasLease) backend.suspend();
    await clock.advance(2 * TIMEOUT_MS);
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost', confirmed: false });
    backend.release('readRun');
    backend.resume();
    await clock.advance(2 * TIMEOUT_MS);
  });

  test('of one that was lost twice, whose cut the record never answers; and it is told once (I26)', async () => {
    const { backend, control, clock } = twoNodes({ hasLease: true });
    let told = 0;
    control.on('run:ended', () => {
      told += 1;
    });
    const outcome = watching(control.run({ sessionKey: 's', runId: 'r' }, untilCut));
    await flush();
    backend.hold('stop');
    backend.tellLost();
    await flush();
    expect(outcome.state).toBe('pending');
    backend.tellLost();
    await clock.advance(TIMEOUT_MS);
    expect(outcome.result).toMatchObject({ status: 'aborted', reason: 'heartbeat-lost', confirmed: false });
    backend.release('stop');
    await clock.advance(2 * TIMEOUT_MS);
    expect(told).toBe(1);
  });
});

test('without a backend every outcome is confirmed: nobody else could be told otherwise (I26)', async () => {
  const { control } = tracked();
  const run = await begin(control, { runId: 'r' });
  await control.abort({ runId: 'r' });
  run.complete();
  expect(await control.wait('r')).toMatchObject({ status: 'aborted', reason: 'user', confirmed: true });
});

/** Its end, as by somebody who keeps nothing of it. */
function endOf(run: { readonly nodeId: string; readonly generation: number } | undefined): EndRequest {
  const { nodeId = '', generation = 0 } = run ?? {};
  return {
    sessionKey: 's',
    runId: 'r',
    nodeId,
    generation,
    status: 'aborted',
    reason: 'user',
    report: undefined,
    retain: false,
    seen: 0,
  };
}
