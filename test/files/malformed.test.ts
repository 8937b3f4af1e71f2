import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkShard, shardName } from '../../src/files/shard.js';
import { filesIn, folder } from './support/folders.js';
import { backendIn, Hears, neighbour } from './support/nodes.js';
import { claimOf, endOf, everywhereOf, granted, lockOf, stopOf } from './support/requests.js';

type Plain = Record<string, unknown>;

const SHARD = join('sessions', shardName('s'));
const BEAT = '00000000-0000-4000-8000-000000000001';
const recordName = (number: number | bigint): string => `${String(number).padStart(16, '0')}.json`;

function textOf(path: string): string {
  return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : readFileSync(path, 'utf8');
}

/** A shard in which there is some of everything, as it is written. */
async function whole(dir: string): Promise<{ path: string; record: Plain }> {
  const backend = backendIn(dir);
  const { generation } = await granted(backend, 'a', { owner: { userId: 'u' }, tags: ['t'], hasEpilogue: true });
  await backend.lock(lockOf('a', generation));
  const report = {
    lock: 'pending',
    epilogue: 'pending',
    leftovers: ['work'],
    unknown: ['pay'],
    fencedEffects: 0,
    elapsedMs: 1.5,
    interrupted: true,
  } as const;
  await backend.stop(
    stopOf('b', { record: { selector: { sessionKey: 's' }, requester: { userId: 'u' }, intent: false } }),
  );
  await backend.announce({ ...endOf('a', generation), hasEpilogue: true, report });
  const other = await granted(backend, 'c', { graceMs: Number.POSITIVE_INFINITY, fingerprint: 'f' });
  await backend.end(endOf('c', other.generation, { status: 'aborted', reason: 'timeout', retain: true }));
  const names = readdirSync(join(dir, SHARD)).sort();
  const path = join(dir, SHARD, names.at(-1) as string);
  return { path, record: JSON.parse(textOf(path)) as Plain };
}

function at(value: Plain, path: string): [Plain, string] {
  const keys = path.split('.');
  const last = keys.pop() as string;
  return [keys.reduce((one, key) => one[key] as Plain, value), last];
}

/** Every place in a value, by its path. */
function placesIn(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, one]) => placesIn(one, path === '' ? key : `${path}.${key}`));
  return path === '' ? below : [path, ...below];
}

describe('F19: the validator', () => {
  test('takes what is written, and nothing in whose place there is something else', async () => {
    const { record } = await whole(folder());
    const state = record.state as Plain;
    expect(() => checkShard(structuredClone(state))).not.toThrow();
    const places = placesIn(state);
    expect(places.length).toBeGreaterThan(60);
    const taken: string[] = [];
    for (const path of places) {
      for (const wrong of [null, -5, 2 ** 53, {}, [null], '../../x']) {
        const copy = structuredClone(state);
        const [parent, key] = at(copy, path);
        parent[key] = wrong;
        try {
          checkShard(copy);
          taken.push(`${path} = ${JSON.stringify(wrong)}`);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }
    }
    // Texts may be any text; times any time; `null` is how JSON has an infinite time; none of these is no list.
    const isText =
      /(sessionKey|runId|nodeId|kind|tags\.\d|userId|fingerprint|host|why|marked\.\d|leftovers\.\d|unknown\.\d) = "/;
    const isTime = /(graceMs|elapsedMs|since) = (-5|9007199254740992|null)$/;
    const isEmpty = /(selector|woken) = \{\}$/;
    expect(taken.filter((one) => !isText.test(one) && !isTime.test(one) && !isEmpty.test(one))).toEqual([]);
  });

  const set = (value: Plain, path: string, wrong: unknown): void => {
    const [parent, key] = at(value, path);
    parent[key] = wrong;
  };

  test.each<[string, (state: Plain) => void]>([
    ['a run twice', (state) => (at(state, 'memory.runs')[0].runs as unknown[]).push(at(state, 'memory.runs.0')[0][0])],
    [
      'a session twice',
      (state) => (at(state, 'memory.sessions')[0].sessions as unknown[]).push(at(state, 'memory.sessions.0')[0][0]),
    ],
    ['a counter below a version', (state) => set(state, 'memory.counter', 1)],
    ['a live run without its session', (state) => set(state, 'memory.sessions', [])],
    ['a node without a heartbeat', (state) => set(state, 'beats', {})],
    ['a heartbeat that is a path', (state) => set(state, 'beats.a', '../../../tmp/planted')],
  ])('does not take %s', async (_what, change) => {
    const { record } = await whole(folder());
    const state = record.state as Plain;
    change(state);
    expect(() => checkShard(state)).toThrow(TypeError);
  });
});

describe('F19: a malformed record', () => {
  test.each<[string, unknown]>([
    ['of the tester', { memory: { counter: 50, runs: [], sessions: [{}] }, beats: {}, woken: {}, orphans: [] }],
    [
      'with a run that is null',
      { memory: { counter: 50, runs: [null], sessions: [] }, beats: {}, woken: {}, orphans: [] },
    ],
    ['with a counter below 0', { memory: { counter: -5, runs: [], sessions: [] }, beats: {}, woken: {}, orphans: [] }],
    [
      'with a heartbeat elsewhere',
      { memory: { counter: 5, runs: [], sessions: [] }, beats: { a: '../../../x' }, woken: {}, orphans: [] },
    ],
  ])('%s is an error that names it, in every process, and stays as it is', async (_what, state) => {
    const dir = folder();
    const used = backendIn(dir);
    const remove = used.subscribe('a', new Hears());
    await granted(used, 'a');
    await granted(used, 'a', { sessionKey: 'elsewhere', runId: 'elsewhere' });
    const { store } = JSON.parse(textOf(join(dir, SHARD, recordName(1)))) as Plain;
    const path = join(dir, SHARD, recordName(2));
    const text = JSON.stringify({ store, state, applied: {} });
    writeFileSync(path, text);
    const named = { message: expect.stringContaining(path) };
    for (const backend of [used, backendIn(dir)]) {
      await expect(backend.claim(claimOf('b'))).rejects.toMatchObject(named);
      await expect(backend.stop(stopOf('b'))).rejects.toMatchObject(named);
      await expect(backend.readSession({ sessionKey: 's', nodeId: 'b', watch: true })).rejects.toMatchObject(named);
      await expect(backend.readActive()).rejects.toMatchObject(named);
    }
    // The poll finds it as well, and the other shards go on.
    await new Promise((done) => setTimeout(done, 300));
    expect(await used.claim(claimOf('b', { sessionKey: 'elsewhere' }))).toMatchObject({ kind: 'busy' });
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(readdirSync(join(dir, SHARD)).filter((name) => name > recordName(2))).toEqual([]);
    remove();
  });

  test.each(['ids', 'list'])('of %s is one, too', async (kind) => {
    const dir = folder();
    const backend = backendIn(dir);
    await granted(backend, 'a');
    await backend.stopEverywhere(everywhereOf('a'));
    const [file = ''] = filesIn(dir).filter((path) => path.startsWith(kind));
    const at = join(dir, file, '..', recordName(7));
    writeFileSync(at, '{"store":"x","state":{"entries":[null],"counter":-1},"applied":{}}');
    const runId = 'run of a';
    await expect(backendIn(dir).claim(claimOf('b', { sessionKey: 't', runId }))).rejects.toMatchObject({
      message: expect.stringContaining(recordName(7)),
    });
  });

  test('of a process: it proves nothing, and writes nowhere else', async () => {
    const dir = folder();
    await granted(backendIn(dir), 'a');
    for (const [at, text] of ['', 'null', '{"host":1}', '{"pid":"../../x"}'].entries()) {
      writeFileSync(join(dir, 'nodes', `00000000-0000-4000-8000-00000000000${at}.json`), text);
    }
    expect(await backendIn(dir).claim(claimOf('b'))).toMatchObject({ kind: 'busy' });
  });
});

describe('F20: what is no file', () => {
  const others: Record<string, (path: string) => void> = {
    'a pipe': (path) => void execFileSync('mkfifo', [path]),
    'a folder': (path) => mkdirSync(path),
  };

  test.each(Object.keys(others))(
    '%s in the place of a record, an identity or the marker is an error at once',
    async (what) => {
      const make = others[what] as (path: string) => void;
      const dir = folder();
      const backend = backendIn(dir);
      await granted(backend, 'a');
      const path = join(dir, SHARD, recordName(2));
      make(path);
      make(join(dir, 'nodes', `${BEAT}.json`));
      // As many as there are threads, and one more.
      const reads = Array.from({ length: 5 }, () =>
        backendIn(dir).readSession({ sessionKey: 's', nodeId: 'b', watch: false }),
      );
      const answers = await Promise.allSettled(reads);
      for (const answer of answers)
        expect(answer).toMatchObject({ reason: { message: expect.stringContaining(path) } });
      expect(await backend.claim(claimOf('a', { sessionKey: neighbour('t'), runId: 'other' }))).toMatchObject({
        kind: 'granted',
      });
      const marked = folder();
      make(join(marked, 'store'));
      await expect(Promise.resolve(backendIn(marked).readActive())).rejects.toMatchObject({
        message: expect.stringContaining(marked),
      });
    },
  );

  test('a link to a file of somebody else is a record of that text, and is not followed', async () => {
    const dir = folder();
    await granted(backendIn(dir), 'a');
    symlinkSync('/etc/hostname', join(dir, SHARD, recordName(2)));
    await expect(Promise.resolve(backendIn(dir).readActive())).rejects.toMatchObject({
      message: expect.stringContaining('is no record of runfence'),
    });
  });

  test('a number past the last safe one is no name of a record', async () => {
    const dir = folder();
    const { generation } = await granted(backendIn(dir), 'a');
    for (const number of [0n, 2n ** 53n, 2n ** 53n + 2n, 9_999_999_999_999_999n]) {
      writeFileSync(join(dir, SHARD, recordName(number)), 'not a record');
    }
    const backend = backendIn(dir);
    expect((await backend.readActive()).map((run) => run.generation)).toEqual([generation]);
    expect((await granted(backend, 'b', { mode: 'concurrent' })).generation).toBeGreaterThan(generation);
    expect(readdirSync(join(dir, SHARD))).toContain(recordName(2n ** 53n));
  });
});
