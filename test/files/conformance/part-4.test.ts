import { vi } from 'vitest';
import { conformancePart } from './suite.js';

vi.mock('node:fs/promises', async (original) => (await import('../support/disk.js')).interposed(await original()));

await conformancePart(4);
