import type { GatewayErrorCode } from '../codes.js';

/**
 * A request that was refused, or that nobody will answer: `connection_lost` for one that may have been done and must not be
 * repeated, `closed` for one that came after the end of the client.
 */
export class GatewayClientError extends Error {
  /** A stable code, one of the gateway's or the host's own. */
  readonly code: string;

  /**
   * @param code - a stable code
   * @param message - a sentence for people
   */
  constructor(code: GatewayErrorCode | 'connection_lost' | 'closed' | (string & {}), message: string) {
    super(message);
    this.name = 'GatewayClientError';
    this.code = code;
  }
}
