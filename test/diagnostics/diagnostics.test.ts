import { spawnSync } from 'node:child_process';
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import type { RunEvents } from 'runfence';
import { DIAGNOSTICS_CHANNELS, type EventName, publishDiagnostics } from 'runfence/diagnostics';
import { flush } from 'runfence/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { tracked } from '../support/tracked.js';
import { untilCut } from '../support/work.js';

const program = fileURLToPath(new URL('../fixtures/debug-diagnostics.ts', import.meta.url));
const names = Object.keys(DIAGNOSTICS_CHANNELS) as EventName[];

function hear<K extends EventName>(name: K, listener: (payload: RunEvents[K]) => void): void {
  const heard = (message: unknown): void => listener(message as RunEvents[K]);
  subscribe(DIAGNOSTICS_CHANNELS[name], heard);
  onTestFinished(() => void unsubscribe(DIAGNOSTICS_CHANNELS[name], heard));
}

describe('the channels', () => {
  test('are named after the events, each once (F15)', () => {
    expect(names.map((name) => DIAGNOSTICS_CHANNELS[name])).toEqual(names.map((name) => `runfence:${name}`));
    expect(Object.isFrozen(DIAGNOSTICS_CHANNELS)).toBe(true);
  });

  test('tell what listeners of the control hear, in the same order, as the host sees it (F15)', async () => {
    const { control } = tracked();
    const [published, heard]: [unknown[][], unknown[][]] = [[], []];
    for (const name of names) {
      hear(name, (payload) => published.push([name, payload]));
      control.on(name, (payload) => heard.push([name, payload]));
    }
    onTestFinished(publishDiagnostics(control));
    const owner = { userId: 'ada' };
    const first = control.run({ sessionKey: 's', runId: 'first', owner }, async (run) => {
      const send = run.fence(() => {});
      await run.commit(() => 1);
      await untilCut(run);
      send();
    });
    const second = control.run({ sessionKey: 's', whenBusy: 'enqueue' }, () => 2);
    await flush();
    await control.abort({ runId: 'first' });
    await Promise.all([first, second]);
    await flush();
    expect(published).toEqual(heard);
    expect(new Set(published.map(([name]) => name))).toEqual(
      new Set([
        'run:started',
        'run:aborted',
        'run:ended',
        'run:saved',
        'run:quiet',
        'session:changed',
        'queue:changed',
        'effect:fenced',
        'lock:granted',
        'lock:released',
      ]),
    );
    expect(published.find(([name]) => name === 'run:aborted')?.[1]).toMatchObject({
      run: { runId: 'first', owner },
      reason: 'user',
    });
  });

  test('are told nothing without subscribers, nor after the remover, which is safe to repeat (F15)', async () => {
    const { control, errors } = tracked();
    const remove = publishDiagnostics(control);
    await control.run({ sessionKey: 's' }, () => 1);
    const heard: unknown[] = [];
    hear('run:started', (payload) => heard.push(payload));
    await control.run({ sessionKey: 's' }, () => 1);
    expect(heard).toHaveLength(1);
    remove();
    remove();
    await control.run({ sessionKey: 's' }, () => 1);
    expect([heard.length, errors]).toEqual([1, []]);
    expect(
      names.filter((name) => name !== 'run:started' && channel(DIAGNOSTICS_CHANNELS[name]).hasSubscribers),
    ).toEqual([]);
  });

  test('carry the events of every control that is published (F15)', async () => {
    const [one, two] = [tracked().control, tracked().control];
    const started: string[] = [];
    hear('run:started', ({ run }) => started.push(run.sessionKey));
    for (const control of [one, two]) onTestFinished(publishDiagnostics(control));
    await one.run({ sessionKey: 'one' }, () => 1);
    await two.run({ sessionKey: 'two' }, () => 1);
    expect(started).toEqual(['one', 'two']);
  });

  test.each([undefined, null, {}, { on: true }])('need a control: %j is refused', (control) => {
    expect(() => publishDiagnostics(control as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});

describe('debugDiagnostics', () => {
  function run(debug: string): { stdout: string; lines: string[] } {
    const env = { ...process.env, NODE_DEBUG: debug };
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], { encoding: 'utf8', env });
    return { stdout, lines: stderr.split('\n').filter((line) => line !== '') };
  }

  test('writes a line an event with NODE_DEBUG=runfence, without owners, tags and errors (F16)', () => {
    const { stdout, lines } = run('runfence');
    expect(stdout).toBe('done\n');
    const told = lines.map((line) => line.replace(/^RUNFENCE \d+: /, ''));
    expect(told).toContain('run:started "chat\\n1" "r1" kind=chat status=running');
    expect(told).toContain('run:aborted "chat\\n1" "r1" kind=chat status=stopping reason=user');
    expect(told).toContain('run:ended "chat\\n1" "r1" kind=chat status=aborted reason=user');
    expect(told).toContain('run:ended "chat-2" "r2" kind=chat status=failed');
    expect(
      told.some((line) => /^run:quiet "chat\\n1" "r1" kind=chat status=aborted reason=user elapsedMs=/.test(line)),
    ).toBe(true);
    expect(told.some((line) => /^lock:granted "chat-2" "r2" token=\d+$/.test(line))).toBe(true);
    expect(told).toContain('run:quiet');
    expect(lines.join('\n')).not.toMatch(/ada|secret/);
  }, 60_000);

  test('writes nothing without it (F16)', () => {
    expect(run('')).toEqual({ stdout: 'done\n', lines: [] });
  }, 60_000);
});
