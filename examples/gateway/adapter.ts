import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

/** A handler of the web's standard form on a server of Node: a client that hangs up aborts the request. */
export async function answer(
  handler: (request: Request) => Promise<Response>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  // On the response: a request closes as soon as its body is read.
  res.once('close', () => res.writableEnded || gone.abort());
  res.on('error', () => {});
  if (res.closed) gone.abort();
  const headers = new Headers(
    Object.entries(req.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    ),
  );
  const { method = 'GET' } = req;
  const body = method === 'GET' || method === 'HEAD' ? {} : { body: Readable.toWeb(req), duplex: 'half' };
  const request = new Request(`http://${req.headers.host ?? 'localhost'}${req.url ?? '/'}`, {
    method,
    headers,
    signal: gone.signal,
    ...body,
  } as RequestInit);
  const response = await handler(request);
  if (res.destroyed) {
    await response.body?.cancel();
    return;
  }
  response.headers.forEach((value, name) => {
    res.setHeader(name, value);
  });
  res.writeHead(response.status);
  if (response.body === null) {
    res.end();
    return;
  }
  const reader = response.body.getReader();
  const closed = new Promise<undefined>((resolve) => res.once('close', () => resolve(undefined)));
  try {
    for (;;) {
      const read = await Promise.race([reader.read(), closed]);
      if (read === undefined) return void (await reader.cancel());
      if (read.done) break;
      if (!res.write(read.value)) await Promise.race([new Promise((drained) => res.once('drain', drained)), closed]);
    }
    res.end();
  } catch {
    res.destroy();
  }
}
