/** The same with an `AbortRegistry` in place of the map. Nothing else of runfence is used. */
import { randomUUID } from 'node:crypto';
import { AbortRegistry } from 'runfence';
import { type Chats, type Database, model } from './parts.js';

export function createAfter(database: Database): Chats {
  const aborts = new AbortRegistry();
  return {
    async answer(user, chat, text, write) {
      const owner = { userId: user };
      void aborts.abort({ sessionKey: chat }, { requester: owner, reason: 'superseded' }); // cuts in this very call
      const entry = aborts.register({ id: randomUUID(), sessionKey: chat, owner }); // before the first await
      if (!entry.registered) throw new Error('A random id is taken.');
      try {
        await database.loadHistory(chat);
        entry.signal.throwIfAborted();
        for await (const part of model(text, entry.signal)) write(part);
      } finally {
        entry.release(); // this entry, whatever is registered by now
      }
    },

    async stop(user, chat) {
      const receipt = await aborts.abort({ sessionKey: chat }, { requester: { userId: user } });
      const { quiet } = await receipt.whenQuiet({ timeoutMs: 20 });
      const stopped = receipt.result === 'aborted'; // a stranger is told what somebody is told when nothing runs
      return stopped ? { stopped, quiet } : { stopped };
    },
  };
}
