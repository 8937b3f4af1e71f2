import { expect, test } from 'vitest';
import { trackedLock } from '../../support/tracked.js';

test('a grant is released at the end of its scope by `using`', async () => {
  const locks = trackedLock();
  {
    using grant = await locks.acquire('s');
    expect(grant.isHeld()).toBe(true);
  }
  expect(await locks.holder('s')).toBeUndefined();
});
