/** An entry's own objects, about. */
export const ENTRY_BYTES = 128;
/** Where a piece of a merged text ends, about. */
const PIECE_BYTES = 4;

/** What an event takes. Text is counted as two bytes a character, as a string of any language may take. Throws for what is no JSON. */
export function bytesOf(event: unknown): number {
  const json: unknown = JSON.stringify(event);
  return ENTRY_BYTES + (typeof json === 'string' ? 2 * json.length : 0);
}

/** What a piece of text takes that is merged. */
export function bytesOfPiece(text: string): number {
  return PIECE_BYTES + 2 * text.length;
}
