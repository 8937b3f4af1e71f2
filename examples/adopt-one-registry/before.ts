/** How such servers begin: one AbortController a chat. It works, until somebody is quick, slow, or somebody else. */
import { type Chats, type Database, model } from './parts.js';

export function createBefore(database: Database): Chats {
  const running = new Map<string, AbortController>();
  return {
    async answer(_user, chat, text, write) {
      await database.loadHistory(chat); // a stop that lands here finds nothing
      running.get(chat)?.abort();
      const controller = new AbortController();
      running.set(chat, controller);
      try {
        for await (const part of model(text, controller.signal)) write(part);
      } finally {
        running.delete(chat); // of an answer that was replaced: deletes the entry of the newer one
      }
    },

    async stop(_user, chat) {
      const controller = running.get(chat); // whoever asks
      controller?.abort();
      return { stopped: controller !== undefined }; // whether the work has stopped, nobody knows
    },
  };
}
