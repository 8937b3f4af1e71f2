import { memory } from 'runfence/backend';
import { backendConformance } from 'runfence/testing';
import { expect, test } from 'vitest';
import { type Made, over } from '../../support/wrong/over.js';
import { WRONG_BACKENDS } from '../../support/wrong-backends.js';

type Body = () => Promise<void>;

/** Runs the suite's scenarios here instead of declaring them: by their short names. */
function scenariosOf(make: () => Made): Map<string, Body> {
  const bodies = new Map<string, Body>();
  backendConformance({
    name: 'wrong',
    test: (name, body) => bodies.set(slugOf(name), body),
    afterAll: () => {},
    print: () => {},
    open: () => {
      const { backend, endLease } = make();
      return { address: '', connect: () => backend, endLease, destroy: () => {} };
    },
    isDurable: false,
    endsLeases: true,
    share: 0.01,
    // What is wrong never comes, and what is right comes in a few ticks.
    patienceMs: 1_000,
    seed: 7,
  });
  return bodies;
}

function slugOf(name: string): string {
  return name.split(':')[0] ?? '';
}

// Side by side: some wait for what will never happen.
test.concurrent.each(WRONG_BACKENDS)(
  'a backend that $wrong fails "$noticed"',
  async ({ noticed, make }) => {
    const body = scenariosOf(make).get(noticed);
    if (body === undefined) throw new Error('there is no such scenario');
    await expect(body()).rejects.toThrow(noticed);
  },
  10_000,
);

test('the same scenarios pass on the backend that is right', async () => {
  const bodies = scenariosOf(over(() => ({})));
  for (const { noticed } of WRONG_BACKENDS) await bodies.get(noticed)?.();
});

test('every scenario begins with a short name of its own', () => {
  const names: string[] = [];
  backendConformance({
    name: 'names',
    test: (name) => names.push(name),
    skip: (name) => names.push(name),
    afterAll: () => {},
    print: () => {},
    open: () => ({ address: '', connect: () => memory(), destroy: () => {} }),
    isDurable: false,
  });
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*: \S/);
  const slugs = names.map(slugOf);
  expect(slugs).toEqual([...new Set(slugs)]);
});
