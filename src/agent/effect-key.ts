import { digestOf } from './json.js';

/**
 * A key for a remote API: hand it over as its idempotency key, and the API does a thing once however often it is asked. For
 * authors of agents.
 *
 * The key is the same for the same call of the same run, also after a retry. Models repeat the ids of their calls, so that
 * those are no part of it.
 *
 * @param call the id of the run, the place of the call among those of its turn, the name of the tool, and its input as JSON
 * @returns a SHA-256 in base64url, 43 characters
 */
export function effectKey(call: {
  /** The id of the run that makes the call. */
  readonly runId: string;
  /** Its place among the calls of the turn, for example 1 for the first. */
  readonly ordinal: number;
  /** The name of the tool. */
  readonly name: string;
  /** The arguments, as the model gave them. The order of their keys does not matter. */
  readonly input: unknown;
}): string {
  return digestOf([call.runId, call.ordinal, call.name, call.input]);
}
