/** Stands in for a model: a word every 20 ms. Replace it by your provider's SDK, and pass the signal on. */
export async function* model(text: string, signal: AbortSignal): AsyncGenerator<string> {
  for (let word = 1; word <= 50; word++) {
    signal.throwIfAborted();
    yield `${text} ${word}\n`;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
