import { type AbortReason, saysReason } from '../stop/reason.js';

/** From now on its `abort()` is a stop. It stays a controller of the platform, for SDKs that check. */
export function stopping(controller: AbortController, stop: (reason: AbortReason) => void): AbortController {
  if (!Object.hasOwn(controller, 'abort')) {
    const abort = (reason?: unknown): void => stop(saysReason(reason, 'user'));
    Object.defineProperty(controller, 'abort', { value: abort, configurable: true, writable: true });
  }
  return controller;
}

/** Fires its signal, also where its own `abort` is a stop. */
export function fire(controller: AbortController, reason: unknown): void {
  (Object.getPrototypeOf(controller) as AbortController).abort.call(controller, reason);
}
