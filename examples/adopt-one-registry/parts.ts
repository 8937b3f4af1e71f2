/** What both servers have in common: a slow database, a model, users, and the HTTP around them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** What a server does, without HTTP around it. */
export interface Chats {
  /** Answers a message. `write` sends a part to the client. */
  answer(user: string, chat: string, text: string, write: (part: string) => void): Promise<void>;
  /** What is told to the client that asked for a stop. */
  stop(user: string, chat: string): Promise<object>;
}

/** A database that answers when the script says so: a stop can land exactly while it is asked. */
export class Database {
  #release: (() => void) | undefined;
  #asked: (() => void) | undefined;
  isSlow = false;

  /** Resolves when the next question has been asked. */
  untilAsked(): Promise<void> {
    return new Promise((resolve) => {
      this.#asked = resolve;
    });
  }

  release(): void {
    this.isSlow = false;
    this.#release?.();
  }

  async loadHistory(_chat: string): Promise<void> {
    if (!this.isSlow) return;
    await new Promise<void>((resolve) => {
      this.#release = resolve;
      this.#asked?.();
    });
  }
}

/** A word every 10 ms. One that is asked to be deaf does not look at its signal. */
export async function* model(text: string, signal: AbortSignal): AsyncGenerator<string> {
  for (let word = 1; word <= 60; word++) {
    if (!text.includes('deaf')) signal.throwIfAborted();
    yield `${text} ${word}\n`;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Put your authentication here. */
function userOf(req: IncomingMessage): string {
  return /^Bearer (\w+)-token$/.exec(req.headers.authorization ?? '')?.[1] ?? 'nobody';
}

export function serve({ answer, stop }: Chats): Server {
  const route = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://localhost');
    const chat = searchParams.get('chat') ?? '';
    if (pathname === '/stop') {
      res.end(JSON.stringify(await stop(userOf(req), chat)));
      return;
    }
    res.flushHeaders();
    await answer(userOf(req), chat, searchParams.get('text') ?? '', (part) => void res.write(part));
    res.end('[done]');
  };
  return createServer((req, res) => {
    route(req, res).catch((error: Error) => res.end(`[${error.name}]`));
  });
}
