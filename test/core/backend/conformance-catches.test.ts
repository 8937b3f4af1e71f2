import { type Backend, memory } from 'runfence';
import { backendConformance } from 'runfence/testing';
import { expect, test } from 'vitest';
import { WRONG_BACKENDS } from '../../support/wrong-backends.js';

type Body = () => Promise<void>;

/** Runs the suite's scenarios here instead of declaring them. */
function scenariosOf(make: () => Backend): Map<string, Body> {
  const bodies = new Map<string, Body>();
  backendConformance({
    name: 'wrong',
    test: (name, body) => bodies.set(name, body),
    afterAll: () => {},
    print: () => {},
    open: () => {
      const backend = make();
      return { address: '', connect: () => backend, destroy: () => {} };
    },
    isDurable: false,
    share: 0.01,
    seed: 7,
  });
  return bodies;
}

test.each(WRONG_BACKENDS)(
  'a backend that $wrong fails "$noticed"',
  async ({ noticed, make }) => {
    const body = scenariosOf(make).get(noticed);
    if (body === undefined) throw new Error('there is no such scenario');
    await expect(body()).rejects.toThrow(noticed);
  },
  10_000,
);

test('the same scenarios pass on the backend that is right', async () => {
  const bodies = scenariosOf(memory);
  for (const { noticed } of WRONG_BACKENDS) await bodies.get(noticed)?.();
});

test('no two scenarios have the same name', () => {
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
  expect(names).toEqual([...new Set(names)]);
});
