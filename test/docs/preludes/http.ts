import { createHttpHandlers, publicReceipt, toHttpStatus } from 'runfence/http';

// include: echo-agent
const users = new Map([['secret-of-ada', 'ada']]);
const userOf = (request: Request): string | undefined =>
  users.get(request.headers.get('authorization')?.replace('Bearer ', '') ?? '');
const ask = (method: string, path: string, body?: unknown): Request =>
  new Request(`http://127.0.0.1${path}`, {
    method,
    headers: { authorization: 'Bearer secret-of-ada', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
void [createHttpHandlers, publicReceipt, toHttpStatus, userOf, ask];
