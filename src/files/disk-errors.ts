/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

export function folderLost(folder: string, cause?: unknown): Error {
  return new Error(
    `${folder} was deleted while it was in use, and with it the numbers that were handed out. Stop every process that uses it, then start them again.`,
    { cause },
  );
}

/** Runs `act`, and answers `undefined` if what it needs is not there. */
export async function ifThere<Value>(act: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await act();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
