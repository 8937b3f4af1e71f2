import type { RunControl } from 'runfence';
import { type Backend, memory } from 'runfence/backend';
import { flush } from 'runfence/testing';
import { expect, test } from 'vitest';
import { begin } from '../../support/begin.js';
import { tracked } from '../../support/tracked.js';

/** A synchronous backend in which another node is faster than the end of a run. */
function overtaken(takeOver: () => void): Backend {
  const backend = memory();
  const { end } = backend;
  let isFirst = true;
  return Object.assign(backend, {
    end(request: Parameters<Backend['end']>[0]) {
      if (isFirst) {
        isFirst = false;
        takeOver();
      }
      return end.call(backend, request);
    },
  });
}

test.each(['complete', 'fail'] as const)('%s does not say that it won if the record had a stop first', async (how) => {
  let other: RunControl | undefined;
  const backend = overtaken(() => void other?.abort({ sessionKey: 's' }));
  const { control } = tracked({ backend });
  other = tracked({ backend }).control;
  const run = await begin(control);
  expect(run[how](new Error('its own result'))).toBe(false);
  expect(run).toMatchObject({ status: 'aborted', reason: 'user' });
  expect(await control.wait(run.id)).toMatchObject({ status: 'aborted', reason: 'user' });
  await flush();
});
