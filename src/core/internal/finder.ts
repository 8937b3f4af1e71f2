/** Finds by run id. For one item, which is the rule, no map is made; among many, a search for each would cost n times n. */
export function finderOf<T extends { readonly runId: string }>(items: readonly T[]): (runId: string) => T | undefined {
  const [first] = items;
  if (items.length < 2) return (runId) => (first?.runId === runId ? first : undefined);
  const byId = new Map<string, T>();
  for (const item of items) if (!byId.has(item.runId)) byId.set(item.runId, item);
  return (runId) => byId.get(runId);
}
