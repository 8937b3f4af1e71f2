import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRunControl, type RunOptions } from 'runfence';
import { type RawData, WebSocket, WebSocketServer } from 'ws';

const control = createRunControl();
interface Turn {
  readonly id: string;
  readonly user: string;
  readonly answer: string;
}
const turns = new Map<string, Turn & { readonly chat: string; readonly token: number }>();
const store = {
  async save(chat: string, turn: Turn, token: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    turns.set(turn.id, { ...turn, chat, token });
  },
  async read(chat: string): Promise<Turn[]> {
    return [...turns.values()].filter((turn) => turn.chat === chat);
  },
};
const userOf = (request: IncomingMessage): string => request.headers.authorization ?? 'nobody';
let produced = 0;
let known: readonly Turn[] = [];
const model = {
  async *stream(history: readonly Turn[], text: string, { signal }: { readonly signal: AbortSignal }) {
    known = history;
    for (let word = 1; word <= 30; word++) {
      signal.throwIfAborted();
      produced++;
      yield `${text} ${word} `;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  },
};
interface Frame {
  readonly type: string;
  readonly id: string;
  readonly chat: string;
  readonly text: string;
}
const parseFrame = (data: RawData): Frame | undefined => {
  try {
    return JSON.parse(String(data)) as Frame;
  } catch {
    return undefined;
  }
};
// ---
if (!server.address()) await once(server, 'listening');
const connect = async (user: string) => {
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    headers: { authorization: user },
  });
  const frames: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  socket.on('message', (data) => {
    frames.push(JSON.parse(String(data)) as Record<string, unknown>);
    for (const look of waiting) look();
  });
  await once(socket, 'open');
  const until = (type: string, id: string) =>
    new Promise<Record<string, unknown>>((resolve) => {
      const look = (): void => {
        const found = frames.find((frame) => frame.type === type && frame.id === id);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  const send = (frame: Frame): void => socket.send(JSON.stringify(frame));
  return { socket, frames, until, send };
};
const message = (id: string, type = 'send'): Frame => ({ type, id, chat: 'c1', text: id });
const ada = await connect('ada');
const eve = await connect('eve');

ada.send(message('whole'));
console.assert((await ada.until('end', 'whole')).status === 'completed');

ada.send(message('stopped'));
await ada.until('delta', 'stopped');
eve.send(message('s0', 'stop'));
console.assert((await eve.until('stopped', 's0')).stopped === false);
ada.send(message('s1', 'stop'));
console.assert((await ada.until('end', 'stopped')).reason === 'user');
const { stopped, quiet } = await ada.until('stopped', 's1');
console.assert(stopped === true && quiet === true && ada.frames.filter(({ type }) => type === 'end').length === 2);

ada.send(message('early'));
ada.send(message('s2', 'stop')); // in the same breath
console.assert((await ada.until('end', 'early')).reason === 'user');

ada.send(message('left'));
await ada.until('delta', 'left');
const over = new Promise<unknown>((resolve) => control.on('run:quiet', ({ run }) => resolve(run.reason)));
ada.socket.terminate();
console.assert((await over) === 'disconnect');
const before = produced;
await new Promise((resolve) => setTimeout(resolve, 20));
console.assert(produced === before);

const again = await connect('ada'); // and sends again what was not answered
again.send(message('left'));
console.assert((await again.until('end', 'left')).status === 'completed');
again.send(message('left'));
while (again.frames.filter(({ type }) => type === 'end').length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
console.assert(again.frames.at(-1)?.status === 'duplicate');
again.send(message('next'));
await again.until('end', 'next');
console.assert(known.map(({ user }) => user).join() === 'whole,stopped,early,left'); // what was stopped is known
console.assert(known[1]?.answer.startsWith('stopped 1 ') === true && known[3]?.answer.endsWith('left 30 ') === true);

await control.drain({ graceMs: 0 });
again.send(message('late'));
const late = await again.until('end', 'late');
console.assert(late.status === 'rejected' && late.reason === 'draining');
again.socket.terminate();
eve.socket.send('no frame');
console.assert(((await once(eve.socket, 'close')) as [number])[0] === 1008);
server.close();
