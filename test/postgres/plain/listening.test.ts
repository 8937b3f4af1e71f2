import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { PgListener, PgPool } from '../../../src/postgres/clients.js';
import { PgWire } from '../../../src/postgres/pg-wire.js';

const CALL = { name: undefined, text: 'select 1', values: [], timeoutMs: 100 };

/** A client that answers when it is told to. */
class Client extends EventEmitter {
  readonly asked: { answer: (rows: unknown[]) => void; refuse: (error: Error) => void }[] = [];

  connect = async (): Promise<void> => {};
  end = async (): Promise<void> => {};

  query({ text }: { readonly text: string }): Promise<{ rows: unknown[] }> {
    if (text.startsWith('listen')) return Promise.resolve({ rows: [] });
    return new Promise((resolve, reject) => {
      this.asked.push({ answer: (rows) => resolve({ rows }), refuse: reject });
    });
  }
}

async function listening() {
  const client = new Client();
  const wire = new PgWire({} as PgPool, () => client as unknown as PgListener, false);
  const opened = await wire.listen('channel', { notice: () => {}, ended: () => {}, again: () => {} });
  if (opened === undefined) throw new Error('it does not listen');
  return { client, opened };
}

test('a listening connection is asked one thing at a time', async () => {
  const { client, opened } = await listening();
  const first = opened.call?.(CALL);
  expect(opened.call).toBe(undefined);
  client.asked[0]?.answer([['1']]);
  expect(await first).toBe('1');
  expect(opened.call).toBeTypeOf('function');
});

test('and nothing more before what was given up has left it', async () => {
  const { client, opened } = await listening();
  const first = opened.call?.(CALL);
  client.asked[0]?.refuse(new Error('Query read timeout'));
  await expect(first).rejects.toThrow('timeout');
  expect(opened.call).toBe(undefined);
  client.emit('drain');
  expect(opened.call).toBeTypeOf('function');
  expect(client.asked).toHaveLength(1);
});
