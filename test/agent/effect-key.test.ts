import { effectKey } from 'runfence/agent';
import { expect, test } from 'vitest';

const call = { runId: 'run', ordinal: 1, name: 'pay', input: { to: 'bob', cents: [1, { b: 2, a: 1 }] } };

test('the key of a call is the same for the same content, and another one for any other', () => {
  const key = effectKey(call);
  expect(key).toMatch(/^[\w-]{43}$/);
  expect(effectKey({ ...call, input: { cents: [1, { a: 1, b: 2 }], to: 'bob' } })).toBe(key);
  const others = [
    { runId: 'run2' },
    { ordinal: 2 },
    { name: 'refund' },
    { input: { to: 'bob', cents: [1, { b: 2, a: 2 }] } },
    { input: undefined },
  ].map((other) => effectKey({ ...call, ...other }));
  expect(new Set([key, ...others]).size).toBe(6);
});
