/** A key for a remote API: SHA-256 in base64url. Ids of models repeat, so that they are no part of it. */
export async function effectKey(runId: string, ordinal: number, name: string, input: unknown): Promise<string> {
  const text = JSON.stringify([runId, ordinal, name, canonical(input)]);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return btoa(String.fromCharCode(...hash))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

/** The same for the same content: models order their keys as they like. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, part]) => [name, canonical(part)]);
}
