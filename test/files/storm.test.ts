import { describe, expect, test } from 'vitest';
import { check, type JournalLine } from './storm/check.js';
import { storm } from './storm/storm.js';
import { folder } from './support/folders.js';

let at = 0;

function line(what: JournalLine['what'], number: number, pid: number, more: Partial<JournalLine> = {}): JournalLine {
  at += 1_000;
  return { what, number, pid, at, ...more };
}

function section(number: number, pid: number): JournalLine[] {
  return [line('grant', number, pid), line('write', number, pid), line('release', number, pid)];
}

describe('what the storm checks', () => {
  test('grants one after the other are what is wanted', () => {
    const lines = [line('begin', 1, 10), ...section(2, 10), line('begin', 3, 20), ...section(4, 20)];
    expect(check('s', lines, [])).toEqual({ grants: 2, writes: 2, late: 0, violations: [] });
  });

  test('a number that is given twice', () => {
    expect(check('s', [...section(2, 10), ...section(2, 20)], []).violations).not.toEqual([]);
    expect(check('s', [line('begin', 2, 10), ...section(2, 10)], []).violations).not.toEqual([]);
  });

  test('a grant below an earlier one', () => {
    expect(check('s', [...section(5, 10), ...section(4, 20)], []).violations).not.toEqual([]);
  });

  test('a write of somebody who was not granted it', () => {
    expect(check('s', [line('grant', 2, 10), line('write', 2, 20)], []).violations).not.toEqual([]);
  });

  test('a write after a higher grant, by one that never stood still', () => {
    const [grant, write, release] = section(2, 10) as [JournalLine, JournalLine, JournalLine];
    const lines = [grant, ...section(3, 20), write, release];
    expect(check('s', lines, [])).toMatchObject({ late: 2, writes: 1 });
    expect(check('s', lines, []).violations).toHaveLength(2);
    // One that did is late, and not heard.
    const gap = line('gap', 0, 10, { at: write.at, ms: 900 });
    expect(check('s', lines, [{ ...gap, ms: 5_000 }])).toEqual({ grants: 2, writes: 1, late: 2, violations: [] });
    expect(check('s', lines, [{ ...gap, pid: 20 }]).violations).toHaveLength(2);
  });

  test('a run that was stopped, and completed or went on', () => {
    const begin = line('begin', 1, 10, { runId: 'r' });
    const stop: JournalLine = { what: 'stop', pid: 20, at: begin.at + 5, runIds: ['r'] };
    const end = (status: string): JournalLine => ({ what: 'end', pid: 10, at: begin.at + 9, runId: 'r', status });
    const later = { ...line('begin', 2, 10, { runId: 's' }), at: begin.at + 10_000 };
    expect(check('s', [begin, stop, end('aborted'), later], []).violations).toEqual([]);
    expect(check('s', [begin, stop, end('completed')], []).violations).toHaveLength(1);
    expect(check('s', [begin, stop, later], []).violations).toHaveLength(1);
    // Its process was killed.
    expect(check('s', [begin, stop], []).violations).toEqual([]);
  });
});

test('a storm in which nobody knows of the others is found out', async () => {
  const { violations } = await storm({ dir: folder(), seconds: 3, sabotage: true });
  expect(violations.length).toBeGreaterThan(10);
});
