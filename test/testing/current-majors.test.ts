import { readFileSync } from 'node:fs';
import { VERSION } from 'openai/version';
import { expect, test } from 'vitest';

test('the tests of adapters run on the majors that they are meant to run on', () => {
  const { version } = JSON.parse(
    readFileSync(`${process.env.CURRENT ?? '.'}/node_modules/openai/package.json`, 'utf8'),
  ) as { version: string };
  expect(VERSION).toBe(version);
});
