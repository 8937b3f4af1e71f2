/** It has no types of its own; of them the tests need these. */
declare module 'graceful-fs' {
  type Done<Value> = (error: NodeJS.ErrnoException | null, value: Value) => void;
  interface GracefulFs {
    stat(path: string, done: Done<unknown>): void;
    rmdir(path: string, done: (error: NodeJS.ErrnoException | null) => void): void;
    utimes(path: string, atime: Date, mtime: Date, done: (error: NodeJS.ErrnoException | null) => void): void;
  }
  const fs: GracefulFs;
  // biome-ignore lint/style/noDefaultExport: it is what the package has.
  export default fs;
}
