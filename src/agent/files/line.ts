import { crc32 } from 'node:zlib';
import type { TurnRecord, WriteAt } from '../history.js';
import { invalidHistory } from '../records.js';

/** Under whose token a change is made. */
type Held = Pick<WriteAt, 'issuer' | 'token'>;

/** The first line of a log: the lock as the log before it has left it. */
export interface Header extends Held {
  readonly format: typeof FORMAT;
}

/** A change of a session. Its writer finds it in the log again by the id. */
export type Change = Held & { readonly id: string } & (
    | { readonly put: TurnRecord; readonly replaces?: readonly string[] }
    | { readonly remove: readonly string[] }
  );

/** The last line of a log that counts: what comes behind it belongs into the next one. */
export interface Close {
  readonly close: true;
}

export type Line = Header | Change | Close;

const FORMAT = 'runfence-history-1';

export function headerOf({ issuer, token }: Held): Header {
  return { format: FORMAT, issuer, token };
}

/**
 * A line as it is written. It begins with a line break: what a writer that died has left before it is a line of its own
 * then, and its checksum is wrong.
 */
export function written(json: string): string {
  return `\n${checksum(json)} ${json}\n`;
}

/** The lines of a text, without those that a writer has not finished. */
export function* linesOf(text: string): Generator<{ readonly line: Line; readonly length: number }> {
  for (const one of text.split('\n')) {
    const json = one.slice(SUM_LENGTH + 1);
    if (json === '' || one.slice(0, SUM_LENGTH) !== checksum(json)) continue;
    yield { line: checked(JSON.parse(json)), length: one.length };
  }
}

const SUM_LENGTH = 8;

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(SUM_LENGTH, '0');
}

/** What is whole and yet no line of ours is of a later version: to leave it out would be to lose it. */
function checked(value: unknown): Line {
  if (typeof value === 'object' && value !== null) {
    if ('close' in value || ('format' in value && value.format === FORMAT)) return value as Line;
    if ('id' in value && ('put' in value || 'remove' in value)) return value as Line;
  }
  throw invalidHistory('a log has a line of another version of runfence');
}
