const pause = (ms = 2): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const model = {
  async *stream(text: string, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<string> {
    for (const word of text.split(' ')) {
      signal.throwIfAborted();
      yield `${word} `;
      await pause();
    }
  },
};
const shown: string[] = [];
const socket = { send: (text: string): void => void shown.push(text) };
const rows = new Map<string, { readonly text: string; readonly token: number }>();
const store = {
  async write(key: string, text: string, token: number): Promise<void> {
    await pause();
    if ((rows.get(key)?.token ?? 0) > token) throw new Error(`The token ${token} is too old.`);
    rows.set(key, { text, token });
  },
};
