/** A value as a test's title shows it. */
export function shown(options: unknown): string {
  const text = JSON.stringify(options, (_key, value: unknown) => {
    if (typeof value === 'function' || typeof value === 'symbol') return `(${typeof value})`;
    return Number.isNaN(value) ? 'NaN' : value;
  });
  return (text ?? String(options)).slice(0, 60);
}
