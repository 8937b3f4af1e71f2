/**
 * The text of whatever a tool has thrown, for the model. For authors of agents: a tool may throw what is no error, and an
 * error may have a message that is no text, or one that throws when it is read.
 *
 * @param error - what was thrown
 * @returns its message. Never throws
 */
export function errorText(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'it threw something that cannot be shown';
  }
}
