import type { BackendClient } from '../../backend/client.js';
import type { NodeContext } from '../../node-context.js';
import type { LedgerHost } from '../host.js';
import type { Records } from './records.js';

/**
 * What every kind of request needs. An answer is installed in its tick, before anything else of its session is sent and
 * before the record is compared, and also if it comes after its bound.
 */
export class Sending {
  readonly context: NodeContext;
  readonly client: BackendClient;
  readonly host: LedgerHost;
  readonly records: Records;
  /** Nothing is owed any more. */
  isClosed = false;
  #attempts = 0;

  constructor(context: NodeContext, client: BackendClient, host: LedgerHost, records: Records) {
    this.context = context;
    this.client = client;
    this.host = host;
    this.records = records;
  }

  /** One that is sent again under its number gets the same answer. */
  nextAttempt(): number {
    this.#attempts += 1;
    return this.#attempts;
  }
}
