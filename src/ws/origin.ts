import type { IncomingMessage } from 'node:http';

/** Whether a page may connect. A client that is no page has no origin. */
export function isAllowed(
  { headers }: Pick<IncomingMessage, 'headers'>,
  {
    hosts,
    origins,
  }: { readonly hosts?: readonly string[] | undefined; readonly origins?: readonly string[] | undefined },
): boolean {
  const { host = '', origin } = headers;
  if (hosts !== undefined && !hosts.includes(host)) return false;
  if (origin === undefined || origins?.includes(origin) === true) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    // `null`, of a page without an origin.
    return false;
  }
}
