import { spawnSync } from 'node:child_process';
import { type Browser, chromium } from 'playwright-core';

const BINARY = '/usr/bin/chromium';

/** Whether this machine has a browser to test with. */
export function hasChromium(binary: string = BINARY): boolean {
  return spawnSync(binary, ['--version']).status === 0;
}

/** The one line that is printed where there is none. */
export const NO_CHROMIUM = 'not run: test/browser, for want of a chromium (apt-get install chromium)';

/** A browser with a profile of its own, which asks no server but those that a test names. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: BINARY,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
