import type { Model } from './server.js';

/** Stands in for a model: a word every 20 ms. Replace it by your provider's SDK, and pass the signal on. */
export const model: Model = async function* (history, text, signal) {
  if (text === 'remember') yield `${history.map(({ user, answer }) => `${user}: ${answer.length > 0}`).join(', ')}\n`;
  for (let word = 1; word <= 50; word++) {
    signal.throwIfAborted();
    yield `${text} ${word}\n`;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
