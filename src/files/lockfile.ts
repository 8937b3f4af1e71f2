import fs from 'node:fs';

type Lockfile = typeof import('proper-lockfile');

/**
 * Loaded now, not with the module: it changes the process. It adds signal handlers, which kill a host that handles a
 * signal by `once`, and graceful-fs, which it loads and does not need here, replaces functions of `fs` and `process`.
 * All of it is taken back: a heartbeat that is left behind is known by its process to be over. Parts that somebody
 * else has loaded before stay: somebody else wants them.
 */
export async function loadLockfile(): Promise<Lockfile> {
  const { close, closeSync } = fs;
  const { cwd, chdir } = process;
  const hasOwnEmit = Object.hasOwn(process, 'emit');
  const listeners = process.listenerCount('SIGTERM');
  const { default: lockfile } = await import('proper-lockfile');
  const { default: signalExit } = await import('signal-exit');
  if (fs.close !== close) Object.assign(fs, { close, closeSync });
  if (process.cwd !== cwd) Object.assign(process, { cwd, chdir });
  if (process.listenerCount('SIGTERM') > listeners) signalExit.unload();
  // It puts back the one that was inherited.
  if (!hasOwnEmit) Reflect.deleteProperty(process, 'emit');
  return lockfile;
}
