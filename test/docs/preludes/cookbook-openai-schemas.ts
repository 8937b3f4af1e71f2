const find = (city: unknown): string => `found ${city}`;
// ---
console.assert(tools.every(({ jsonSchema }) => jsonSchema.type === 'object'));
