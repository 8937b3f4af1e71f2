import { type Memory, memory } from 'runfence/backend';
import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

/** A lock that is asked for and given back for ever, in one tick, would hang the test. */
function bounded(backend: Memory): Memory {
  const lock = backend.lock.bind(backend);
  let asked = 0;
  backend.lock = (request) => {
    asked += 1;
    if (asked > 100) throw new Error('asked for ever');
    return lock(request);
  };
  return backend;
}

test('a lock that a listener of the cut frees does not go to a run of the same cut that waits for it', async () => {
  const { control } = tracked({ backend: bounded(memory()) });
  const first = await begin(control, { whenBusy: 'concurrent' });
  const second = await begin(control, { whenBusy: 'concurrent' });
  const grant = await control.locks.acquire('files');
  first.signal.addEventListener('abort', () => grant.release());
  const refused = expect(control.locks.acquire('files', { holder: second })).rejects.toThrow('The run was stopped.');
  const next = control.locks.acquire('files');
  await control.abort({ sessionKey: 's' });
  await refused;
  (await next).release();
  first.complete();
  second.complete();
});

test('nor does one that is freed by who hears that the stop did not get through', async () => {
  const backend = bounded(memory());
  const free: (() => void)[] = [];
  const { control } = tracked({ backend, onError: () => free.pop()?.() });
  const run = await begin(control);
  const grant = await control.locks.acquire('s');
  free.push(() => grant.release());
  const refused = expect(run.commit(() => 'written')).rejects.toThrow('The run was stopped.');
  const stop = backend.stop.bind(backend);
  backend.stop = () => {
    backend.stop = stop;
    throw new Error('connection refused');
  };
  await control.abort({ runId: run.id });
  await refused;
  expect(free).toEqual([]);
  run.complete();
});
