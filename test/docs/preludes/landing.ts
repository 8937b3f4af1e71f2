const model = {
  async *stream(text: string, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<string> {
    for (let word = 1; word <= 5; word++) {
      signal.throwIfAborted();
      yield `${text} ${word} `;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },
};
const parts: string[] = [];
const socket = { send: (part: string): void => void parts.push(part) };
// ---
const older = answer('c1', 'old');
const newer = answer('c1', 'new');
console.assert((await older).status === 'aborted' && (await newer).status === 'completed');
const stopped = answer('c1', 'third');
console.assert((await stop('c1')).quiet && (await stopped).status === 'aborted');
console.assert(parts.join('').includes('new 5') && !parts.join('').includes('third 2'));
