import { hasChromium, NO_CHROMIUM } from './chromium.js';

const isThere = hasChromium();

/** What is not run must not look like what has passed. */
export function setup(): void {
  if (!isThere && process.env.CI !== undefined && process.env.CI !== 'false') throw new Error(NO_CHROMIUM);
}

export function teardown(): void {
  if (!isThere) process.stdout.write(`${NO_CHROMIUM}\n`);
}
