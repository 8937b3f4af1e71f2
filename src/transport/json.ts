const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether JSON is nested deeper than so many levels: what comes after may recurse. */
export function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isText) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) isText = false;
    } else if (code === QUOTE) isText = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > most) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}

/** Whether it has an object from which LangChain makes one of its own, with the server's secrets in it. */
export function isSerialised(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const isOne = Object.hasOwn(value, 'lc') && Object.hasOwn(value, 'type') && Object.hasOwn(value, 'id');
  return isOne || Object.values(value).some(isSerialised);
}
