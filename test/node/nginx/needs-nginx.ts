import { NO_NGINX, nginxBinary } from '../../support/servers/nginx.js';

const isThere = nginxBinary() !== undefined;

/** What is not run must not look like what has passed. */
export function setup(): void {
  if (!isThere && process.env.CI !== undefined && process.env.CI !== 'false') throw new Error(NO_NGINX);
}

export function teardown(): void {
  if (!isThere) process.stdout.write(`${NO_NGINX}\n`);
}
