import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { createRunControl } from 'runfence';
import { createAgentRunner, type History, type TurnRecord } from 'runfence/agent';
import { fileHistory } from 'runfence/agent/files';
import { afterEach, describe, expect, test } from 'vitest';
import { filesIn, folder, removeFolders } from '../../files/support/folders.js';
import { scriptedAgent } from '../support/scripted.js';
import { keptIn } from '../support/stage.js';
import { at, idsOf, LONG, signal, turn } from './support/turns.js';

afterEach(removeFolders);

const code = (name: string) => expect.objectContaining({ code: name });

/** The logs of the sessions, by their paths. */
const logsIn = (dir: string): string[] =>
  filesIn(dir)
    .filter((path) => path.endsWith('.log'))
    .map((path) => join(dir, path));

function theLog(dir: string): string {
  const logs = logsIn(dir);
  expect(logs).toHaveLength(1);
  return logs[0] as string;
}

test('turns are in their order, and a write of the same run replaces', async () => {
  const history = fileHistory({ dir: folder() });
  expect(await idsOf(history)).toEqual([]);
  await history.write('s', turn('b', 2), at(1));
  await history.write('s', turn('a', 1), at(2));
  await history.write('s', turn('b', 2, 'again'), at(3));
  expect(await history.read('s', { signal })).toMatchObject([{ runId: 'a' }, { incoming: [{ text: 'again' }] }]);
  await history.write('s', turn('c', 3), at(3), ['a', 'c']);
  expect(await idsOf(history)).toEqual(['b', 'c']);
  await history.remove('s', ['b', 'nothing'], at(3));
  expect(await idsOf(history)).toEqual(['c']);
  expect(await idsOf(history, 'other')).toEqual([]);
});

test('a turn is read as it was written, in another process too', async () => {
  const dir = folder();
  const whole: TurnRecord = {
    ...turn('a', 1, 'line\nbreak \u2028 "ö" \ud83d\ude00 \ud800'),
    owner: { userId: 'ada' },
    answer: [{ deep: [{ er: null }] }, 1.5],
    steered: ['x'],
    messageIds: ['m1'],
    state: 'cut',
    reason: 'user',
    unsafe: true,
  };
  await fileHistory({ dir }).write('s', whole, at(1));
  expect(await fileHistory({ dir }).read('s', { signal })).toEqual([whole]);
});

test('a write under a lower token of the same issuer is refused, whoever wrote; an issuer that starts anew is not', async () => {
  const dir = folder();
  const [a, b] = [fileHistory({ dir }), fileHistory({ dir })];
  await a.write('s', turn('a', 1), at(5));
  await expect(b.write('s', turn('b', 2), at(4))).rejects.toEqual(code('LOCK_LOST'));
  await expect(b.remove('s', ['a'], at(4))).rejects.toEqual(code('LOCK_LOST'));
  await b.write('t', turn('b', 2), at(4));
  await b.write('s', turn('c', 2), at(1, 'control:b'));
  expect(await idsOf(a)).toEqual(['a', 'c']);
});

test('a write whose time is over is refused, and so is a read', async () => {
  const history = fileHistory({ dir: folder() });
  const over = AbortSignal.abort(new Error('too late'));
  await expect(history.write('s', turn('a', 1), { ...at(1), signal: over })).rejects.toThrow('too late');
  await expect(history.read('s', { signal: over })).rejects.toThrow('too late');
  expect(await idsOf(history)).toEqual([]);
});

test('what is kept is what was given in the tick of the call', async () => {
  const history = fileHistory({ dir: folder() });
  const given = turn('a', 1);
  const writing = history.write('s', given, at(1));
  (given.incoming as unknown[]).push('more');
  await writing;
  const got = (await history.read('s', { signal })) as TurnRecord[];
  got.push(turn('b', 2));
  expect(await history.read('s', { signal })).toEqual([turn('a', 1)]);
});

test('what is no JSON is refused, and changes nothing', async () => {
  const history = fileHistory({ dir: folder() });
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  for (const incoming of [cyclic, [1n]]) {
    await expect(history.write('s', { ...turn('a', 1), incoming }, at(1))).rejects.toEqual(code('INVALID_OPTIONS'));
  }
  expect(await idsOf(history)).toEqual([]);
});

test('a session that is deleted leaves no file, and begins anew', async () => {
  const dir = folder();
  const history = fileHistory({ dir });
  await history.write('s', turn('a', 1), at(5));
  await history.delete('s');
  await history.delete('never there');
  expect(filesIn(dir)).toEqual([]);
  expect(readdirSync(join(dir, 'sessions'))).toEqual([]);
  expect(readdirSync(join(dir, 'drafts'))).toEqual([]);
  await history.write('s', turn('b', 1), at(1));
  expect(await idsOf(history)).toEqual(['b']);
});

test('a log is shortened when half of it is not needed any more, and refuses what it refused before', async () => {
  const dir = folder();
  const history = fileHistory({ dir });
  await history.write('s', turn('stays', 1), at(1));
  const sizes: number[] = [];
  for (let n = 1; n <= 40; n += 1) {
    await history.write('s', turn('often', 2, `n${n}`, LONG), at(n));
    sizes.push(statSync(theLog(dir)).size);
  }
  expect(Math.max(...sizes)).toBeLessThan(6 * LONG);
  expect(basename(theLog(dir))).not.toBe('1.log');
  expect(filesIn(join(dir, 'drafts'))).toEqual([]);
  expect(await history.read('s', { signal })).toEqual([turn('stays', 1), turn('often', 2, 'n40', LONG)]);
  await expect(history.write('s', turn('late', 3), at(39))).rejects.toEqual(code('LOCK_LOST'));
});

test('a line that a writer has not finished is no turn, and stands in nobody’s way', async () => {
  const dir = folder();
  const history = fileHistory({ dir });
  await history.write('s', turn('a', 1), at(1));
  const text = readFileSync(theLog(dir), 'utf8');
  const last = text.trim().split('\n').at(-1) as string;
  for (const torn of [last.slice(0, 20), last.slice(0, -1), '\0\0\0', last.replace('"a"', '"b"')]) {
    appendFileSync(theLog(dir), `\n${torn}`);
    expect(await idsOf(history)).toEqual(['a']);
  }
  await history.write('s', turn('c', 2), at(1));
  expect(await idsOf(history)).toEqual(['a', 'c']);
});

test('a line of a later version is an error, and is not overlooked', async () => {
  const dir = folder();
  const history = fileHistory({ dir });
  await history.write('s', turn('a', 1), at(1));
  const path = theLog(dir);
  const json = '{"new":1}';
  appendFileSync(path, `\n${crc32(json).toString(16).padStart(8, '0')} ${json}\n`);
  await expect(history.read('s', { signal })).rejects.toEqual(code('HISTORY_INVALID'));
  await expect(history.write('s', turn('b', 2), at(1))).rejects.toEqual(code('HISTORY_INVALID'));
});

describe('only its user may look into it', () => {
  test('folders are 0700, files are 0600, and no name tells a key', async () => {
    const dir = join(folder(), 'deep', 'history');
    const history = fileHistory({ dir });
    const key = 'ada/../chat: secret';
    for (let n = 1; n <= 5; n += 1) await history.write(key, turn('a', 1, `n${n}`, LONG), at(1));
    const paths = readdirSync(dir, { recursive: true, withFileTypes: true });
    expect(paths.length).toBeGreaterThan(3);
    for (const path of paths) {
      const { mode } = statSync(join(path.parentPath, path.name));
      expect([path.name, (mode & 0o777).toString(8)]).toEqual([path.name, path.isDirectory() ? '700' : '600']);
      expect(path.name).toMatch(/^(sessions|drafts|[0-9a-f]{64}|[0-9a-f]{24}|\d+\.log)$/);
    }
    expect((statSync(dir).mode & 0o777).toString(8)).toBe('700');
  });

  test('a folder that others can write to is refused, and one that is mended is taken', async () => {
    const dir = folder();
    chmodSync(dir, 0o777);
    const history = fileHistory({ dir });
    await expect(history.read('s', { signal })).rejects.toThrow(/other users can write to .*chmod 700/);
    await expect(history.write('s', turn('a', 1), at(1))).rejects.toEqual(code('HISTORY_INVALID'));
    chmodSync(dir, 0o700);
    await history.write('s', turn('a', 1), at(1));
    expect(await idsOf(history)).toEqual(['a']);
  });

  test('no link is followed: neither of the folder, nor of a session, nor of a log', async () => {
    const [dir, elsewhere] = [folder(), folder()];
    const there = fileHistory({ dir: elsewhere });
    await there.write('s', turn('theirs', 1), at(1));
    const [name] = readdirSync(join(elsewhere, 'sessions')) as [string];

    const linked = join(folder(), 'link');
    symlinkSync(elsewhere, linked);
    await expect(fileHistory({ dir: linked }).read('s', { signal })).rejects.toThrow('symbolic link');

    const history = fileHistory({ dir });
    await history.read('s', { signal });
    symlinkSync(join(elsewhere, 'sessions', name), join(dir, 'sessions', name));
    await expect(history.read('s', { signal })).rejects.toEqual(code('HISTORY_INVALID'));
    await expect(history.write('s', turn('a', 1), at(1))).rejects.toEqual(code('HISTORY_INVALID'));
    await history.delete('s');
    expect(await idsOf(there)).toEqual(['theirs']);

    await history.write('s', turn('a', 1), at(1));
    const path = theLog(dir);
    renameSync(path, `${path}.away`);
    symlinkSync(theLog(elsewhere), path);
    await expect(history.read('s', { signal })).rejects.toThrow('ELOOP');
    await expect(history.write('s', turn('a', 1), at(1))).rejects.toThrow('ELOOP');
    expect(await idsOf(there)).toEqual(['theirs']);
  });

  test('what is no folder is refused', async () => {
    const dir = join(folder(), 'file');
    writeFileSync(dir, '');
    await expect(fileHistory({ dir }).read('s', { signal })).rejects.toEqual(code('HISTORY_INVALID'));
  });
});

test('what processes have left that died goes with the first use, once it is old', async () => {
  const dir = folder();
  await idsOf(fileHistory({ dir }));
  const [old, young] = [join(dir, 'drafts', 'old'), join(dir, 'drafts', 'young')];
  for (const path of [old, young]) mkdirSync(join(path, 'session'), { recursive: true });
  utimesSync(old, 1, 1);
  await idsOf(fileHistory({ dir }));
  expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
});

test('options that are wrong are refused', () => {
  for (const wrong of [{}, { dir: ' ' }, { dir: 1 }, { dir: 'x', max: 1 }]) {
    expect(() => fileHistory(wrong as never)).toThrow(code('INVALID_OPTIONS'));
  }
});

test('a chat goes on after a restart, also behind a turn that was cut', async () => {
  const dir = folder();
  const life = async (words: string, cuts: boolean): Promise<{ history: History; shown: unknown }> => {
    const control = createRunControl();
    const history = fileHistory({ dir });
    const agent = scriptedAgent(async (turnOf) => {
      turnOf.ask();
      turnOf.say(`heard ${words}`);
      if (cuts) void control.abort('all');
      await turnOf.tool('tool', () => 'done');
      turnOf.ask();
    });
    const runner = createAgentRunner(control, { agent, history });
    const sent = await runner.send({ sessionKey: ['ada', 'chat'], messages: words });
    if (sent.status !== 'started') throw new Error(sent.status);
    await sent.outcome;
    await sent.whenSaved();
    await control.drain();
    return { history, shown: agent.requests[0] };
  };
  await life('one', false);
  await life('two', true);
  const { history, shown } = await life('three', false);
  const key = '["ada","chat"]';
  const { states } = await keptIn(history, key);
  expect(states).toEqual(['whole', 'cut: user', 'whole']);
  expect(JSON.stringify(shown)).toMatch(/one.*heard one.*two.*heard two.*three/);
});
