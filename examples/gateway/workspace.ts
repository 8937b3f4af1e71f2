import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';

const MOST_BYTES = 64 * 1024;

/** A folder for each user, in which tools work. */
export class Workspaces {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** The name is a hash: a user id is no path. */
  async of(userId: string): Promise<string> {
    const folder = join(this.#root, createHash('sha256').update(userId).digest('hex').slice(0, 32));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return realpath(folder);
  }

  /**
   * Reads a file of a user's folder.
   *
   * @throws for what lies elsewhere, also behind a link
   */
  async read(userId: string, path: string): Promise<string> {
    const folder = await this.of(userId);
    const real = await realpath(resolve(folder, path));
    if (!real.startsWith(folder + sep)) throw new Error('Only files of the workspace can be read.');
    // A link that was put there since is not followed.
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
