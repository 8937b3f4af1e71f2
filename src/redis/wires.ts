import { RunfenceError } from '../index.js';
import type { Ear, IoRedisLike, Listener, NodeRedisLike, RedisClient, Wire } from './client.js';

/** Tells which client it is by what it can do. */
export function wireOf(client: RedisClient): Wire {
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

  async listen(channels: readonly string[], listener: Listener): Promise<Ear> {
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
    let isOpen = true;
    const close = (): void => {
      isOpen = false;
      ear.disconnect();
    };
    try {
      await ear.subscribe(...channels);
    } catch (error) {
      close();
      throw error;
    }
    ear.on('ready', () => {
      ear.subscribe(...channels).then(
        () => {
          if (isOpen) listener.again();
        },
        // Lost again meanwhile: it will be ready again, or its owner asks it in vain.
        () => {},
      );
    });
    return { ping: () => ear.ping(), close };
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

  async listen(channels: readonly string[], listener: Listener): Promise<Ear> {
    const ear = this.#client.duplicate();
    ear.on('error', () => {});
    let isOpen = true;
    const close = (): void => {
      if (!isOpen) return;
      isOpen = false;
      ear.destroy();
    };
    try {
      await ear.connect();
      await ear.subscribe([...channels], (text) => listener.message(text));
    } catch (error) {
      close();
      throw error;
    }
    // It has subscribed again by the time it is ready.
    ear.on('ready', () => {
      if (isOpen) listener.again();
    });
    return { ping: () => ear.ping(), close };
  }
}
