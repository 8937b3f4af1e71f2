import type { AgentEvent } from '../../agent/index.js';
import type { StreamItem } from '../../streams/index.js';
import type { HttpContext } from './context.js';
import { Pulse } from './pulse.js';
import type { Viewer } from './viewer.js';

/** What a protocol makes of the items of a run. Pure: the same again for the same items. */
export interface Encoder {
  /** What goes out before the first item; it may be empty. */
  open(): string;
  /** What goes out for an item; empty for nothing. */
  item(item: StreamItem<AgentEvent>): string;
  /** True once the last word is out: nothing follows it. */
  readonly isOver: boolean;
}

const HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream',
  // A proxy that compresses or collects holds the tokens back.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

const KEEP_ALIVE = new TextEncoder().encode(': keep-alive\n\n');

/** The response that tells a client of a run while it goes on, at the client's pace. */
export function eventStream(
  context: HttpContext,
  viewer: Viewer,
  encoder: Encoder,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const bytes = new TextEncoder();
  let opening: string | undefined = encoder.open();
  let pulse: Pulse | undefined;
  const finish = (): void => {
    pulse?.stop();
    viewer.leave();
  };
  /** What goes out next; `undefined` at the end. */
  const next = async (): Promise<string | undefined> => {
    if (opening !== undefined && opening !== '') {
      const text = opening;
      opening = undefined;
      return text;
    }
    while (!encoder.isOver) {
      const item = await viewer.next();
      if (item === undefined) return undefined;
      const text = encoder.item(item);
      if (text !== '') return text;
    }
    return undefined;
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        pulse = new Pulse(context, {
          beat: () => controller.enqueue(KEEP_ALIVE),
          isFull: () => (controller.desiredSize ?? 0) < 0,
          stalled: () => {
            finish();
            // No failure: whoever sends the body breaks it off, and has nothing to report.
            controller.error(new DOMException('The client does not read.', 'AbortError'));
          },
        });
      },
      async pull(controller) {
        pulse?.waits();
        try {
          const text = await next();
          if (text !== undefined) controller.enqueue(bytes.encode(text));
          pulse?.sent();
          // Before it is closed: a cancel that comes with the end is no hang-up.
          if (text !== undefined && !encoder.isOver) return;
          finish();
          controller.close();
        } catch (error) {
          // Closed or cancelled meanwhile, or an event that nobody can write.
          if (!viewer.hasLeft) context.control.onError(error, { sessionKey: undefined, runId: viewer.runId });
          finish();
          controller.error(new Error('The stream has failed.'));
        }
      },
      cancel: finish,
    },
    // Nothing is taken from the run before somebody wants to read it.
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { ...HEADERS, 'x-run-id': viewer.runId, ...headers } });
}
