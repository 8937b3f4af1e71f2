import { expect, test } from 'vitest';
import { folder } from './support/folders.js';
import { Other } from './support/processes.js';

test('F22: a process whose backend has beaten has the functions that it had', async () => {
  const node = await Other.start('loads', { dir: folder() });
  expect(await node.says('changed')).toMatchObject({ names: [], added: 0 });
  expect(await node.ended()).toBe(0);
});
