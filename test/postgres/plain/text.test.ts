import { ADMIN } from 'runfence';
import { describe, expect, test } from 'vitest';
import { fromJson, requesterOf, storedRequester, toJson } from '../../../src/postgres/text.js';

const STRANGE = [
  'nul\u0000byte',
  '\u001b',
  '\u001b0000',
  '\\u0000',
  '\ud800',
  'a\udc00b',
  '\u{1f642}',
  'line\nbreak',
  '"quoted"',
  '',
];

describe('texts that Postgres does not take', () => {
  test.each(STRANGE)('%j comes back, and is written without what it does not take', (text) => {
    const written = toJson({ text, list: [text] });
    expect(fromJson(written)).toEqual({ text, list: [text] });
    // An even number of backslashes before it is a text that only looks like it.
    expect(written).not.toMatch(/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/);
  });

  test('two of them never become one', () => {
    expect(new Set(STRANGE.map((text) => toJson([text]))).size).toBe(STRANGE.length);
  });

  test('a requester comes back: a user, an administrator, the host', () => {
    for (const requester of [{ userId: 'admin' }, ADMIN, undefined] as const) {
      const { stored } = fromJson<{ stored?: 'admin' }>(toJson({ stored: storedRequester(requester) }));
      expect(requesterOf(stored)).toEqual(requester);
    }
  });
});
