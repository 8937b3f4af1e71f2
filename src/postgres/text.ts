import { ADMIN, type Requester } from '../index.js';

/** Postgres has no U+0000 and no half of a surrogate pair in a text. They are written as this, and their number. */
const ESCAPE = '\u001b';
/** In JSON, where control characters and lone surrogates are numbers. It may find too much, and never too little. */
const MAY_NEED = /\\u(?:0000|001b|d[89a-f])/;
const NEEDS = new RegExp(`[\\0${ESCAPE}]|\\p{Surrogate}`, 'gu');
const ESCAPED = new RegExp(`${ESCAPE}([0-9a-f]{4})`, 'g');

/** As JSON that Postgres takes. What is `undefined` is left out. */
export function toJson(value: object): string {
  const text = JSON.stringify(value);
  return MAY_NEED.test(text) ? JSON.stringify(value, (_key, part) => escaped(part)) : text;
}

export function fromJson<T>(text: string): T {
  if (!text.includes('\\u001b')) return JSON.parse(text) as T;
  return JSON.parse(text, (_key, part) => (typeof part === 'string' ? unescaped(part) : part)) as T;
}

function escaped(part: unknown): unknown {
  if (typeof part !== 'string') return part;
  return part.replace(NEEDS, (char) => ESCAPE + char.charCodeAt(0).toString(16).padStart(4, '0'));
}

function unescaped(text: string): string {
  return text.replace(ESCAPED, (_all, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** JSON has no symbols. */
export function storedRequester(requester: Requester | undefined): Requester | 'admin' | undefined {
  return requester === ADMIN ? 'admin' : requester;
}

export function requesterOf(stored: Requester | 'admin' | undefined): Requester | undefined {
  return stored === 'admin' ? ADMIN : stored;
}
