import { AbortRegistry, createRunControl } from 'runfence';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { begin } from '../support/begin.js';
import { tracked } from '../support/tracked.js';

/** What a careless library puts on every object. */
const POLLUTION: PropertyDescriptor = { value: 'mallory', enumerable: true, configurable: true, writable: true };

beforeEach(() => {
  Object.defineProperty(Object.prototype, 'extra', POLLUTION);
});

afterEach(() => {
  Reflect.deleteProperty(Object.prototype, 'extra');
  Reflect.deleteProperty(Object.prototype, 'userId');
});

test('a property on Object.prototype is no option of any call', async () => {
  const { control } = tracked({ retention: { ttlMs: 0 }, defaults: { kind: 'chat' } });
  const owner = { deviceId: 'd' };
  const run = await begin(control, { owner, tags: ['t'] });
  expect(run.owner).toEqual({ deviceId: 'd' });
  await run.commit(() => 'written', { timeoutMs: 0 });
  expect(await run.gate(() => 'called', { name: 'tool' })()).toBe('called');
  expect(await run.child({ kind: 'agent' }, () => 'child')).toMatchObject({ status: 'completed' });
  expect(control.runs.list({ requester: owner })).toHaveLength(1);
  expect(await control.runs.wait(run.id, { timeoutMs: 0 })).toEqual({ status: 'timeout' });
  const receipt = await control.abort({ owner }, { requester: owner });
  expect(receipt.result).toBe('aborted');
  run.complete();
  expect(await receipt.whenQuiet({ timeoutMs: 0 })).toMatchObject({ quiet: true });
  expect(new AbortRegistry({ ownerless: 'open' }).register({ id: 'r' }).registered).toBe(true);
});

test('an id on Object.prototype makes nobody the owner', async () => {
  const { control } = tracked();
  Object.defineProperty(Object.prototype, 'userId', POLLUTION);
  const run = await begin(control, { owner: { deviceId: 'd' } });
  Reflect.deleteProperty(Object.prototype, 'userId');
  expect(run.owner).toEqual({ deviceId: 'd' });
  run.complete();
});

test('an id on Object.prototype lets no stranger at a run', async () => {
  const { control } = tracked();
  const run = await begin(control, { owner: { userId: 'ada' } });
  const eve = { userId: 'eve' };
  Object.defineProperty(Object.prototype, 'deviceId', POLLUTION);
  try {
    expect(control.runs.list({ requester: eve })).toEqual([]);
    expect(await control.abort({ sessionKey: 's' }, { requester: eve })).toMatchObject({ result: 'forbidden' });
    expect(await control.abort({ owner: eve })).toMatchObject({ result: 'nothing-running' });
    expect(run.isCurrent()).toBe(true);
  } finally {
    Reflect.deleteProperty(Object.prototype, 'deviceId');
  }
  run.complete();
});

test('an unknown option of the call itself is still refused', async () => {
  expect(() => createRunControl({ extra: 1 } as never)).toThrow('"extra"');
  const { control } = tracked();
  const owner = { userId: 'ada', extra: 1 } as never;
  await expect(control.runs.begin({ sessionKey: 's', owner })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
});
