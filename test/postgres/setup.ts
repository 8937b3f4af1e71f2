import type { TestProject } from 'vitest/node';
import { makeTemplate, PostgresServer, postgresBinaries, removeFolder } from '../support/servers/postgres.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder that servers are made of. */
    postgresTemplate: string;
    /** The server that all tests share which do nothing to it. */
    postgresUrl: string;
  }
}

const MISSING =
  'NOT RUN: the tests of runfence/postgres, for want of a server. Get it with `apt-get install postgresql`.';

/** One server for the whole project. Without it the tests that need one are not run, and the last line says so. */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  if (postgresBinaries() === undefined) {
    if (process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false') throw new Error(MISSING);
    return async () => {
      process.stdout.write(`${MISSING}\n`);
    };
  }
  const template = await makeTemplate();
  const server = await PostgresServer.start(template, ['fsync=off']);
  provide('postgresTemplate', template);
  provide('postgresUrl', server.url);
  return async () => {
    await server.remove();
    removeFolder(template);
  };
}
