import { errorText } from 'runfence/agent';
import { expect, test } from 'vitest';
import { ODDLY_THROWN } from './support/thrown.js';

test.each(ODDLY_THROWN)('the text of %s that was thrown is one', (_what, thrown, told) => {
  expect(errorText(thrown)).toBe(told);
});

test('the text of an error is its message', () => {
  expect(errorText(new TypeError('no such file'))).toBe('no such file');
});
