import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** The page, and the client of the gateway for it. There is nothing to build. */
export async function servePage(path: string, res: ServerResponse, client?: string): Promise<boolean> {
  const name = path === '/' ? 'index.html' : path.slice(1);
  if (!/^[\w-]+\.(html|js|css|svg)$/.test(name)) return false;
  const content = await readFile(placeOf(name, client)).catch(() => undefined);
  if (content === undefined) return false;
  res.writeHead(200, {
    'content-type': TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream',
    'cache-control': 'no-cache',
    // Nothing from elsewhere, no inline script, and no page around it.
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  res.end(content);
  return true;
}

/** The client is a file of the package. It imports a piece of it from two folders above, which for a page is the root. */
function placeOf(name: string, file?: string): string {
  if (name === 'client.js' && file !== undefined) return file;
  const client = import.meta.resolve('runfence/gateway/client');
  if (name === 'client.js') return fileURLToPath(client);
  if (/^chunk-\w+\.js$/.test(name)) return fileURLToPath(new URL(`../../${name}`, client));
  return fileURLToPath(new URL(`page/${name}`, import.meta.url));
}
