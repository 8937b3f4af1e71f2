import { RunfenceError } from '../index.js';
import type { NodeRequest } from './types.js';

/** The body of a request of Node, as a stream that takes nothing before somebody reads. */
export interface RequestBody {
  readonly stream: ReadableStream<Uint8Array>;
  /**
   * The answer is complete: what nobody has read is dropped, or the next request of the connection would wait behind it
   * for ever.
   */
  release(): void;
}

/** @param gone - aborted when the client leaves: whoever reads then gets its reason */
export function requestBody(req: NodeRequest, gone: AbortSignal): RequestBody {
  let state: 'unread' | 'reading' | 'over' = 'unread';
  let controller: ReadableStreamDefaultController<Uint8Array>;

  const onData = (chunk: Uint8Array | string): void => {
    controller.enqueue(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk);
    req.pause();
  };
  const onEnd = (): void => {
    if (stop()) controller.close();
  };
  const onError = (error: unknown): void => {
    if (stop()) controller.error(gone.aborted ? gone.reason : error);
  };
  // Without an `end`: the client has left in its upload.
  const onClose = (): void => onError(new Error('The connection was closed before the body had arrived.'));
  const onGone = (): void => onError(gone.reason);

  /** False if it was over before. */
  function stop(): boolean {
    const wasReading = state === 'reading';
    const wasOver = state === 'over';
    state = 'over';
    if (!wasReading) return !wasOver;
    req.off('data', onData).off('end', onEnd).off('close', onClose);
    gone.removeEventListener('abort', onGone);
    return true;
  }

  const stream = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given;
      },
      pull() {
        if (gone.aborted) {
          onError(gone.reason);
          return;
        }
        if (state === 'unread') {
          if (!isUnread(req)) {
            onError(bodyConsumed());
            return;
          }
          state = 'reading';
          // Stays, since an error that comes later has no other listener.
          req.on('error', onError);
          req.on('data', onData).on('end', onEnd).on('close', onClose);
          gone.addEventListener('abort', onGone, { once: true });
        }
        req.resume();
      },
      // Not destroyed: the connection would go with it, and the answer that says why.
      cancel: () => void stop(),
    },
    { highWaterMark: 0 },
  );
  return {
    stream,
    release() {
      if (stop()) controller.error(new Error('The request is over.'));
      if (!req.destroyed) req.resume();
    },
  };
}

/** Nobody has taken anything of the body, nor is about to. */
export function isUnread(req: NodeRequest): boolean {
  return !req.readableDidRead && !req.readableEnded && req.readableFlowing !== true;
}

export function bodyConsumed(): RunfenceError {
  return new RunfenceError(
    'BODY_CONSUMED',
    'The body was read before toNodeListener, and is not in req.body: mount toNodeListener before what reads it.',
  );
}
