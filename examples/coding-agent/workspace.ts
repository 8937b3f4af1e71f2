import { lstat, readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';

/** The one folder in which the model reads and writes. */
export class Workspace {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = resolve(dir);
  }

  async read(path: string): Promise<string> {
    return readFile(await this.#inside(path), 'utf8');
  }

  async write(path: string, text: string): Promise<void> {
    await writeFile(await this.#inside(path), text);
  }

  /** Where a path really leads: a link that leaves the folder is refused, and so is `..`. */
  async #inside(path: string): Promise<string> {
    const root = await realpath(this.dir);
    const asked = resolve(root, path);
    const isThere = await lstat(asked).then(
      () => true,
      () => false,
    );
    const target = isThere ? await realpath(asked) : join(await realpath(dirname(asked)), basename(asked));
    const way = relative(root, target);
    if (way === '..' || way.startsWith('../') || isAbsolute(way)) throw new Error(`${path} is outside the workspace.`);
    return target;
  }
}
