import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { start as express } from '../../examples/express/example.js';
import { start as fastify } from '../../examples/fastify/example.js';
import { start as hono } from '../../examples/hono/example.js';
import { drive as driveRoutes } from '../../examples/nextjs-route/example.js';
import { drive } from '../../examples/openai-server/drive.js';
import { start as openaiServer } from '../../examples/openai-server/example.js';

const text = (path: string): string => readFileSync(new URL(`../../examples/${path}`, import.meta.url), 'utf8');
const linesOf = (path: string): number => text(path).trimEnd().split('\n').length;

for (const [name, start] of Object.entries({ express, fastify, hono, 'openai-server': openaiServer })) {
  test(`examples/${name}: answers, a stop, a hang-up and a shutdown, with the client of OpenAI`, async () => {
    const lines: string[] = [];
    await drive(start, (line) => lines.push(line));
    expect(lines).toEqual(text(`${name}/expected-output.txt`).trimEnd().split('\n'));
  });
}

test('examples/nextjs-route: the routes resume and stop, called with a Request', async () => {
  const lines: string[] = [];
  await driveRoutes((line) => lines.push(line));
  expect(lines).toEqual(text('nextjs-route/expected-output.txt').trimEnd().split('\n'));
});

test('the examples of hosts have less than 60 lines', () => {
  for (const name of ['express', 'fastify', 'hono']) {
    expect(linesOf(`${name}/server.ts`) + linesOf(`${name}/main.ts`), name).toBeLessThan(60);
  }
  const files = readdirSync(new URL('../../examples/nextjs-route', import.meta.url), { recursive: true }) as string[];
  const routes = files.filter((file) => /^(app|lib)\/.*\.ts$/.test(file));
  expect(routes.map((file) => linesOf(`nextjs-route/${file}`)).reduce((sum, one) => sum + one)).toBeLessThan(60);
});
