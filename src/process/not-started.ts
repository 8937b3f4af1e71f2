import { existsSync } from 'node:fs';
import { RunfenceError } from '../index.js';
import type { Order } from './options.js';

/** What Node says of a start that failed. */
interface StartError extends Error {
  readonly code?: string | undefined;
  readonly errno?: number | undefined;
  readonly syscall?: string | undefined;
  readonly path?: string | undefined;
}

/** Errors are logged, and arguments and environments hold secrets: neither is in it. */
export function notStarted({ command, options: { cwd } }: Order, error: unknown): RunfenceError {
  const cause = withoutSecrets(error as StartError);
  // Node blames the command for a folder that is not there, too.
  const isFolderMissing = cause.code === 'ENOENT' && cwd !== undefined && !existsSync(cwd);
  const why = isFolderMissing
    ? 'its working directory does not exist.'
    : cause.code === 'ENOENT'
      ? 'there is no such command. Check its name and PATH, or give its path.'
      : `${cause.message}.`;
  return new RunfenceError('PROCESS_NOT_STARTED', `Could not start "${command}": ${why}`, { cause });
}

/** A copy of what is known to be harmless. Node adds the arguments, and to a refused value the value itself. */
function withoutSecrets({ message, code, errno, syscall, path }: StartError): StartError {
  const [harmless] = message.split(/\. Received /, 1);
  return Object.assign(new Error(harmless), { code, errno, syscall, path });
}
