import {
  DEADLOCK,
  explained,
  isBroken,
  LOCK_NOT_AVAILABLE,
  NOT_ISOLATED,
  SERIALIZATION,
  sqlStateOf,
} from './failures.js';
import { quoted } from './migration.js';
import { fromJson, toJson } from './text.js';
import type { Call, Wire } from './wire.js';

/** For so long in ms a call may take before its connection is given up. */
const CALL_MS = 5_000;
/** For so long in ms a transaction of the host that has fenced is waited for. */
const FENCED_MS = 1_500;
const FENCED_AGAIN_MS = 10;
/** So often a call is sent again whose connection broke, and so long it waits longer each time. */
const MOST_BROKEN = 3;
const BROKEN_AGAIN_MS = 25;
const LONGEST_NAMED = 40;

type Value = string | number | null;

/** Calls the functions of the schema. What may be sent again is sent again once. */
export class Calls {
  readonly schema: string;
  readonly #wire: Wire;
  /** Transactions of this database are not READ COMMITTED by themselves. */
  #mustIsolate = false;

  constructor(wire: Wire, schema: string) {
    this.#wire = wire;
    this.schema = schema;
  }

  /** @param values - texts and numbers as they are, objects as JSON */
  async call<T>(
    name: string,
    values: readonly (Value | object)[],
    timeoutMs: number = CALL_MS,
  ): Promise<T | undefined> {
    const call = this.#callOf(name, values, timeoutMs);
    const start = performance.now();
    let broken = 0;
    let isAgain = false;
    for (;;) {
      try {
        const text = await (this.#mustIsolate ? this.#wire.callIsolated(call) : this.#wire.call(call));
        return text === null ? undefined : fromJson<T>(text);
      } catch (error) {
        const state = sqlStateOf(error);
        if (state === NOT_ISOLATED && !this.#mustIsolate) this.#mustIsolate = true;
        else if (state === LOCK_NOT_AVAILABLE && performance.now() - start < FENCED_MS) {
          await new Promise((resolve) => setTimeout(resolve, FENCED_AGAIN_MS));
        } else if (!isAgain && (state === SERIALIZATION || state === DEADLOCK)) isAgain = true;
        else if (isBroken(error) && broken < MOST_BROKEN) {
          // A client may have several that are dead.
          await new Promise((resolve) => setTimeout(resolve, BROKEN_AGAIN_MS * broken));
          broken += 1;
        } else throw explained(error, this.schema);
      }
    }
  }

  /** On a connection that is there already. */
  async callOn<T>(
    call: (call: Call) => Promise<string | null>,
    name: string,
    values: readonly (Value | object)[],
    timeoutMs: number,
  ): Promise<T | undefined> {
    const text = await call(this.#callOf(name, values, timeoutMs));
    return text === null ? undefined : fromJson<T>(text);
  }

  #callOf(name: string, values: readonly (Value | object)[], timeoutMs: number): Call {
    const types = values.map(
      (value, at) => `$${at + 1}::${typeof value === 'number' ? 'text::bigint' : typeOf(value)}`,
    );
    return {
      // Postgres cuts longer names off.
      name: this.schema.length > LONGEST_NAMED ? undefined : `runfence ${name} ${this.schema}`,
      text: `select ${quoted(this.schema)}.${name}(${types.join(', ')})`,
      values: values.map((value) => (typeof value === 'object' && value !== null ? toJson(value) : textOf(value))),
      timeoutMs,
    };
  }
}

function typeOf(value: Value | object): string {
  return typeof value === 'object' && value !== null ? 'text::jsonb' : 'text';
}

function textOf(value: Value): string | null {
  return value === null ? null : String(value);
}
