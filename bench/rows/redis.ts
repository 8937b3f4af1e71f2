import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { createRunControl } from 'runfence';
import { redis } from 'runfence/redis';
import { hasRedis, RedisServer } from '../../test/support/servers/redis.js';
import { type Figure, ratio } from '../harness/figure.js';
import { type Bench, check, type Row } from '../harness/row.js';
import { Cycles, growth, Hearing, heard, lifeOf, Rounds } from './cluster-cycles.js';

const OPERATIONS = ['claim', 'lock', 'unlock', 'stop', 'end'] as const;
const PUSH = "return redis.call('SET', KEYS[1], ARGV[1])";

async function measure(bench: Bench, port: number): Promise<Figure[]> {
  const clients: Redis[] = [];
  const client = (): Redis => {
    const made = new Redis({ host: '127.0.0.1', port });
    clients.push(made);
    return made;
  };
  const options = { prefix: randomUUID(), leaseMs: 60_000, onWarning: () => {} };
  const own = redis(client(), options);
  const other = redis(client(), options);
  const [node, stopper] = [new Cycles(own, 'own'), new Cycles(other, 'other')];
  const hears = new Hearing();
  const removers = [own.subscribe('own', hears), other.subscribe('other', new Hearing())];
  const [bare, publisher, subscriber] = [client(), client(), client()];
  const sha = String(await bare.script('LOAD', 'return 1'));
  const plain = String(await bare.script('LOAD', PUSH));
  let arrived = (): void => {};
  subscriber.on('message', () => arrived());
  await subscriber.subscribe('floor');
  const rounds = new Rounds();
  await rounds.make(bench, 60, async () => {
    await rounds.time('bare', () => bare.evalsha(sha, 0));
    await lifeOf(rounds, node);
    const hop = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await rounds.time('hop', async () => {
      await Promise.all([hop, publisher.publish('floor', 'x')]);
    });
    await heard(rounds, node, stopper, hears);
  });
  const control = createRunControl({ backend: own });
  const outcome = await control.run({ sessionKey: 'fenced' }, (run) =>
    run.commit((context) =>
      rounds.make(bench, 60, async () => {
        await rounds.time('plain', () => bare.evalsha(plain, 1, 'plain', 'x'));
        await rounds.time('fenced', () =>
          own.write(context, { script: PUSH, keys: [`{rf:${options.prefix}}:x`], args: ['x'] }),
        );
      }),
    ),
  );
  check(outcome.status === 'completed', 'writes that are fenced');
  for (const remove of removers) remove();
  const floor = rounds.sample('bare', 'a bare EVALSHA');
  const figures = [
    ...OPERATIONS.map((what) => ratio(what, rounds.sample(what), floor)),
    ratio(
      'a stop that another node hears',
      rounds.sample('a stop that another node hears'),
      rounds.sample('hop', 'a PUBLISH that is heard'),
      { budget: 2.3 },
    ),
    ratio('a write in a script, fenced', rounds.sample('fenced'), rounds.sample('plain', 'the script alone')),
    ...(await growth(bench, 400, () => redis(client(), { ...options, prefix: randomUUID() }))),
  ];
  await control.drain({ graceMs: 0 });
  await other.close();
  for (const one of clients) one.disconnect();
  return figures;
}

export const row: Row = {
  title: 'requests to Redis, beside its floors',
  measure: async (bench) => {
    if (!hasRedis()) {
      console.error('row redis: not run, for want of a redis-server (apt-get install redis-server)');
      return [];
    }
    const server = await RedisServer.start();
    try {
      return await measure(bench, server.port);
    } finally {
      await server.remove();
    }
  },
};
