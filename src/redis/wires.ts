import { RunfenceError } from '../index.js';
import type { Ear, IoRedisLike, Listener, NodeRedisLike, RedisClient, Wire } from './client.js';

/** Tells which client it is by what it can do. */
export function wireOf(client: RedisClient): Wire {
  if ((client as IoRedisLike | undefined)?.isCluster === true) {
    throw new RunfenceError('INVALID_OPTIONS', 'Redis Cluster is not supported: give a client of one primary.');
  }
  if (isIoRedis(client)) return new IoRedisWire(client);
  if (isNodeRedis(client)) return new NodeRedisWire(client);
  const message = 'client must be a client of ioredis or of redis (node-redis), version 5 or newer.';
  throw new RunfenceError('INVALID_OPTIONS', message);
}

function isIoRedis(client: RedisClient): client is IoRedisLike {
  const { call, duplicate, disconnect } = (client ?? {}) as Partial<IoRedisLike>;
  return [call, duplicate, disconnect].every((method) => typeof method === 'function');
}

function isNodeRedis(client: RedisClient): client is NodeRedisLike {
  const { sendCommand, duplicate, destroy } = (client ?? {}) as Partial<NodeRedisLike>;
  return [sendCommand, duplicate, destroy].every((method) => typeof method === 'function');
}

class IoRedisWire implements Wire {
  readonly keyPrefix: string;
  readonly #client: IoRedisLike;

  constructor(client: IoRedisLike) {
    this.#client = client;
    const { keyPrefix } = client.options;
    this.keyPrefix = typeof keyPrefix === 'string' ? keyPrefix : '';
  }

  send([command = '', ...args]: string[]): Promise<unknown> {
    return this.#client.call(command, ...args);
  }

  listen(channels: readonly string[], listener: Listener): Ear {
    // It would say `ready` before it has subscribed again: what is said between the two is not heard by anybody.
    const ear = this.#client.duplicate({
      autoResubscribe: false,
      maxRetriesPerRequest: null,
      enableOfflineQueue: true,
      lazyConnect: false,
      keyPrefix: '',
    });
    // Each loss shows as a command that fails, or as a connection that comes back.
    ear.on('error', () => {});
    ear.on('message', (_channel: string, text: string) => listener.message(text));
    let isFirst = true;
    const subscribe = async (): Promise<void> => {
      await ear.subscribe(...channels);
      if (!isFirst) listener.again();
      isFirst = false;
    };
    const ready = new Promise<void>((resolve, reject) => {
      // Lost again meanwhile: it will be ready again, or its owner asks it in vain.
      ear.on('ready', () => void subscribe().then(resolve, reject));
    });
    ready.catch(() => {});
    return { ready, ping: () => ear.ping(), close: () => ear.disconnect() };
  }
}

class NodeRedisWire implements Wire {
  readonly keyPrefix = '';
  readonly #client: NodeRedisLike;

  constructor(client: NodeRedisLike) {
    this.#client = client;
  }

  send(args: string[]): Promise<unknown> {
    if (!this.#client.isOpen)
      return Promise.reject(new Error('The client is not connected: call its connect() first.'));
    return this.#client.sendCommand(args);
  }

  listen(channels: readonly string[], listener: Listener): Ear {
    const ear = this.#client.duplicate();
    ear.on('error', () => {});
    let isListening = false;
    let isClosed = false;
    const open = async (): Promise<void> => {
      await ear.connect();
      await ear.subscribe([...channels], (text) => listener.message(text));
      isListening = true;
    };
    // It has subscribed again by the time it is ready.
    ear.on('ready', () => {
      if (isListening && !isClosed) listener.again();
    });
    const ready = open();
    ready.catch(() => {});
    const close = (): void => {
      if (isClosed) return;
      isClosed = true;
      try {
        ear.destroy();
      } catch {
        // It was not open, or is closed already.
      }
    };
    return { ready, ping: () => ear.ping(), close };
  }
}
