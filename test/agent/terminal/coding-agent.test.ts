import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { folder, removeFolders } from '../../files/support/folders.js';
import { hasTerminal, Terminal } from '../support/terminal.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const [ESCAPE, CTRL_C, CTRL_D] = ['\u001b', '\u0003', '\u0004'];

const WAIT = { timeout: 60_000, interval: 20 };

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const open: Terminal[] = [];

afterEach(async () => {
  const left = (await Promise.all(open.splice(0).map((terminal) => terminal.kill()))).filter(Boolean);
  removeFolders();
  expect(left).toEqual([]);
});

function start(dir: string): Terminal {
  const tsx = ['--import', 'tsx', join(root, 'examples/coding-agent/main.ts')];
  const args = ['--workspace', join(dir, 'work'), '--state', join(dir, 'state')];
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, SOME_API_KEY: 'secret', TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') };
  const terminal = new Terminal([process.execPath, ...tsx, ...args], env);
  open.push(terminal);
  return terminal;
}

/** A skipped test would look like one that was forgotten: without a terminal there is the other one. */
const withTerminal = hasTerminal() ? describe : () => {};
const without = hasTerminal() ? () => {} : test;

withTerminal('the coding agent in a terminal', () => {
  test('asks before it acts, is stopped by Esc and by Ctrl-C, steered, taken over, and remembers after a restart', async () => {
    const dir = folder();
    const first = start(dir);
    await first.shows('Enter sends.');

    first.type('write it down');
    await first.shows('? write_file');
    first.type('y');
    await first.shows('< write_file: ok');
    await first.shows('[completed]');
    expect(readFileSync(join(dir, 'work', 'notes.txt'), 'utf8')).toBe('Locks go first.\n');

    // No key of ours reaches a command of the model.
    first.type('run the tests');
    await first.shows('? exec');
    first.type('y');
    await first.shows('tests: 3 passed');
    await first.shows(/^0$/m);
    await first.shows('[completed]');

    first.type('tell me a story');
    await first.shows('Water will not climb');
    first.press(ESCAPE);
    await first.shows('[stopped: user]');
    await first.shows('[receipt] nothing of it is left; the answer is saved, cut');

    first.type('review it all');
    await first.shows('> deep_review');
    first.type('and remember the locks');
    await first.shows('[steered: applied]');
    first.press(CTRL_C);
    await first.shows('[stopped: user]');
    await first.shows('[stopping; Ctrl-C again does not wait]');
    first.press(CTRL_C);
    await first.shows('[receipt] it is not quiet; the answer is saved, cut');
    await first.shows('[receipt] deep_review had started: it may have taken effect');
    await first.shows('[receipt] deep_review still goes on, unheard');

    first.type('run forever');
    await first.shows('? exec');
    first.type('y');
    const pid = join(dir, 'work', 'forever.pid');
    await expect.poll(() => existsSync(pid) && readFileSync(pid, 'utf8'), WAIT).toMatch(/^\d+\n$/);
    first.type('! what do you remember?');
    await first.shows('[stopped: superseded]');
    await first.shows('You said: write it down / run the tests / tell me a story / review it all');
    await first.shows('[completed]');
    // It ignores SIGTERM, and what it has started outlives its parent.
    await expect.poll(() => isAlive(Number(readFileSync(pid, 'utf8'))), WAIT).toBe(false);

    first.press(CTRL_C);
    expect(await first.ended()).toBe(0);

    const second = start(dir);
    await second.shows(/\[\d+ messages before; the last: what do you remember\?\]/);
    await second.shows('Enter sends.');
    second.type('do you still remember?');
    await second.shows('You said: write it down');
    await second.shows('[completed]');
    second.press(CTRL_D);
    expect(await second.ended()).toBe(0);
    console.log(first.shown, second.shown);
  }, 180_000);
});

without('without `script` of util-linux the coding agent is not tested in a terminal', () => {
  console.warn('The coding agent was not tested in a terminal: there is no `script` of util-linux.');
  expect(process.env.CI, 'CI must have a terminal').toBeUndefined();
});
