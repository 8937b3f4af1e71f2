import type { AgentEvent } from '../../agent/index.js';
import type { AbortReason } from '../../index.js';
import type { StreamItem } from '../../streams/index.js';
import type { HttpErrorCode } from '../../transport/index.js';
import { errorOf, HttpError, NO_RETRY, toHttpStatus } from '../../transport/index.js';
import type { TurnState } from './turn-state.js';

/**
 * How a run ended, as a client is told. `stopped`: somebody stopped it or took over. `aborted`: it was stopped, and nobody
 * of the client's wanted it. `lost`: a part of what it said is not there any more.
 */
export type Ending =
  | { readonly kind: 'completed' }
  | { readonly kind: 'stopped' | 'aborted'; readonly reason: AbortReason | undefined }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'lost' };

/** The ending that an item is; `undefined` if the run goes on. A stop is told at the cut, any other end when all is saved. */
export function endingOf(
  item: StreamItem<AgentEvent>,
  state: TurnState,
  atAbort: 'by-cause' | 'error' = 'by-cause',
): Ending | undefined {
  switch (item.type) {
    case 'gap':
      return { kind: 'lost' };
    case 'cut':
      return { kind: isWanted(item.reason) && atAbort === 'by-cause' ? 'stopped' : 'aborted', reason: item.reason };
    case 'end':
      if (item.status === 'completed') return { kind: 'completed' };
      if (item.status === 'aborted') return { kind: 'aborted', reason: item.reason };
      return { kind: 'failed', message: state.error ?? 'The run has failed.' };
    default:
      return undefined;
  }
}

/** The client, or its user elsewhere, wanted it to end. */
function isWanted(reason: AbortReason): boolean {
  return reason === 'user' || reason === 'superseded';
}

/** The code and the words of an ending that a client is told as an error. */
export function errorOfEnding(ending: Exclude<Ending, { kind: 'completed' }>): {
  readonly code: HttpErrorCode;
  readonly message: string;
} {
  switch (ending.kind) {
    case 'failed':
      return { code: 'run_failed', message: ending.message };
    case 'lost':
      return { code: 'events_lost', message: 'A part of the answer is not there any more.' };
    default:
      return { code: 'run_aborted', message: `The run was stopped (${ending.reason ?? 'policy'}).` };
  }
}

/** The answer to a client that has got nothing yet. */
export function answerOfEnding(runId: string, ending: Exclude<Ending, { kind: 'completed' }>): HttpError {
  if (ending.kind === 'stopped' || ending.kind === 'aborted') return stopped(runId, ending.reason);
  const { code, message } = errorOfEnding(ending);
  if (ending.kind === 'lost') return new HttpError(500, code, message, { headers: NO_RETRY });
  return new HttpError(errorOf({ status: 'failed' }).status, code, message, { headers: NO_RETRY });
}

/** The answer to a client whose run was stopped before it got anything. */
export function stopped(runId: string, reason: AbortReason | undefined): HttpError {
  const { status, code, message, headers } = toHttpStatus({ status: 'aborted' });
  const run = { id: runId, status: 'aborted', ...(reason === undefined ? {} : { reason }) };
  return new HttpError(status, code ?? 'run_aborted', message, {
    headers: { ...headers, 'x-run-id': runId },
    more: { x_run: run },
  });
}
