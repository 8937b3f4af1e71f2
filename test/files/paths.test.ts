import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { SessionLock } from 'runfence';
import { files } from 'runfence/files';
import { expect, test } from 'vitest';
import { folder } from './support/folders.js';

test('two paths to one folder are one store: a lock that is held by one path is held by the other (C2)', async () => {
  const dir = folder();
  const link = join(folder(), 'link');
  symlinkSync(dir, link);
  const here = files({ dir, durable: false });
  const there = files({ dir: link, durable: false });
  const grant = await new SessionLock({ backend: here }).acquire('s');
  const other = new SessionLock({ backend: there }).acquire('s', { timeoutMs: 0 });
  await expect(other).rejects.toMatchObject({ code: 'LOCK_TIMEOUT', holder: { token: grant.token } });
  grant.release();
  await here.close();
  await there.close();
});
