import { expect, test } from 'vitest';
import { hasChromium, NO_CHROMIUM } from './support/chromium.js';

// Where there is no browser, this is all that is run, and the line is printed at the end.
test('a machine without a browser is noticed, and told how to get one', () => {
  expect(hasChromium('no-such-chromium')).toBe(false);
  expect(NO_CHROMIUM).toContain('apt-get install chromium');
});
