import { fileHistory } from 'runfence/agent/files';
import { afterEach, expect, test, vi } from 'vitest';
import { onDisk } from '../../files/support/disk.js';
import { folder, removeFolders } from '../../files/support/folders.js';
import { at, idsOf, turn } from './support/turns.js';

vi.mock('node:fs/promises', async (original) => (await import('./support/disk.js')).interposedFiles(await original()));

afterEach(removeFolders);

test('a write at each of whose calls a later holder of the lock writes is there before it, or is refused (K17)', async () => {
  const seen = new Set<string>();
  for (let landing = 1, calls = 1; landing <= calls; landing += 1) {
    const dir = folder();
    await fileHistory({ dir }).write('s', turn('first', 1), at(1));
    let count = 0;
    // What the later holder has seen decides.
    let wasThere = true;
    const takeOver = async (): Promise<void> => {
      count += 1;
      if (count !== landing) return;
      const write = async (): Promise<void> => {
        const history = fileHistory({ dir });
        await history.write('s', turn('later', 3), at(2));
        wasThere = (await idsOf(history)).includes('stale');
      };
      await onDisk(() => {}, write);
    };
    const answer = await onDisk(takeOver, async () => fileHistory({ dir }).write('s', turn('stale', 2), at(1))).then(
      () => 'kept',
      (error: { readonly code?: string }) => error.code,
    );
    calls = count;
    const where = `at call ${landing}`;
    expect(answer, where).toBe(wasThere ? 'kept' : 'LOCK_LOST');
    const ids = wasThere ? ['first', 'stale', 'later'] : ['first', 'later'];
    expect(await idsOf(fileHistory({ dir })), where).toEqual(ids);
    seen.add(String(answer));
  }
  expect([...seen].sort()).toEqual(['LOCK_LOST', 'kept']);
});
