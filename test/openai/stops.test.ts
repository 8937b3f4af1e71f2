import { closingText } from 'runfence/agent';
import { tool } from 'runfence/openai';
import { Hold, type ModelPiece } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { flushed, pending, resultsOf, type Stage, type Started, stage, textsOf, until } from './support.js';

const look = tool({ name: 'look', effect: 'read', execute: () => 'seen' });
const cut = { reason: 'user' } as const;

/** What a stop leaves behind is what the next turn starts from. */
async function goesOn(on: Stage, turn: Started): Promise<void> {
  await on.next(turn.all(cut));
  expect(on.model.problems).toEqual([]);
}

describe('a stop', () => {
  test.each<[string, (hold: Hold) => ModelPiece[], string]>([
    ['before the first byte', (hold) => [hold, 'late'], ''],
    ['in the text', (hold) => ['half', hold, ' late'], 'half'],
    ['in the reasoning', (hold) => [{ reasoning: 'hm' }, hold, 'late'], ''],
    ['in half-streamed arguments', (hold) => ['I ', { call: 'look', input: { at: 'everything' }, hold }], 'I '],
    ['behind one call, before the next', (hold) => [{ call: 'look' }, hold, { call: 'look' }], ''],
  ])('%s hangs up, keeps what was said, and starts nothing', async (where, script, text) => {
    const hold = new Hold();
    await using on = await stage([script(hold), 'again'], { tools: [look] });
    const turn = on.start();
    await hold.reached;
    await until(() => textsOf(turn.events) === text && (!where.includes('reasoning') || turn.events.length > 0));
    const receipt = await turn.stop();
    await expect(turn.done).rejects.toMatchObject({ code: 'RUN_ABORTED', reason: 'user' });
    await on.model.requests[0]?.whenEnded;
    expect(on.model.requests[0]).toMatchObject({ isHungUp: true, tokensAfterHangUp: 0 });
    expect(textsOf(turn.events)).toBe(text);
    expect(turn.turn.snapshot(cut)).toEqual(text === '' ? [] : [{ role: 'assistant', content: text }]);
    expect(turn.events.some(({ type }) => type === 'tool-start')).toBe(false);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', interrupted: true, unknown: [] }]);
    await goesOn(on, turn);
  });

  test('of a model that is deaf shows nothing more of it', async () => {
    const hold = new Hold();
    await using on = await stage([[{ deaf: true }, 'half', hold, ' and the rest'], 'again']);
    const turn = on.start();
    await until(() => textsOf(turn.events) === 'half');
    await turn.stop();
    hold.open();
    await on.model.requests[0]?.whenEnded;
    expect(on.model.requests[0]?.tokensAfterHangUp).toBeGreaterThan(0);
    expect(turn.turn.snapshot(cut)).toEqual([{ role: 'assistant', content: 'half' }]);
    await goesOn(on, turn);
  });

  test('while the client waits for its next attempt does not wait with it', async () => {
    await using on = await stage([{ status: 429, headers: { 'retry-after-ms': '400' } }], { maxRetries: 2 });
    const turn = on.start();
    while (on.model.requests[0]?.status === undefined) await flushed();
    await flushed();
    const receipt = await turn.stop();
    await expect(turn.done).rejects.toMatchObject({ code: 'RUN_ABORTED' });
    // The client's own timer goes on in openai 6: it is named, and no request comes of it.
    const left = (await receipt.whenQuiet({ timeoutMs: 0 })).runs[0]?.leftovers ?? [];
    expect(left.filter((name) => name !== 'source')).toEqual([]);
    expect((await receipt.whenQuiet()).quiet).toBe(true);
    expect(on.model.requests).toHaveLength(1);
  });

  test('in a deaf tool: the call is unknown to the next model, and in the receipt after the tool has ended', async () => {
    const held = pending<string>();
    const pay = tool({ name: 'pay', execute: () => held.promise });
    await using on = await stage([[{ call: 'pay' }], 'again'], { tools: [pay] });
    const turn = on.start();
    await started(turn, 1);
    const receipt = await turn.stop();
    expect((await receipt.whenQuiet({ timeoutMs: 0 })).runs).toMatchObject([{ leftovers: ['pay'], unknown: ['pay'] }]);
    const before = turn.turn.snapshot(cut);
    expect(resultsOf(before)).toEqual([closingText('unknown', cut)]);
    held.open('paid');
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ state: 'quiet', leftovers: [], unknown: ['pay'] }]);
    expect(turn.turn.snapshot(cut)).toEqual(before);
    expect(turn.events.filter(({ type }) => type === 'tool-end')).toEqual([]);
    await goesOn(on, turn);
  });

  test('in the midst of a batch: each call has exactly one end', async () => {
    const held = pending();
    const names = ['done', 'deaf', 'asks', 'fails'];
    const tools = [
      tool({ name: 'done', effect: 'read', execute: () => 'ok' }),
      tool({ name: 'deaf', effect: 'idempotent', execute: () => held.promise }),
      tool({ name: 'asks', needsApproval: true, execute: () => expect.unreachable() }),
      tool({ name: 'fails', effect: 'read', execute: () => Promise.reject(new Error('broken')) }),
    ];
    await using on = await stage([names.map((call) => ({ call })), 'again'], { tools });
    const turn = on.start();
    while (turn.questions.length === 0 || turn.events.filter(({ type }) => type === 'tool-end').length < 2)
      await flushed();
    const receipt = await turn.stop();
    held.open();
    expect(resultsOf(turn.turn.snapshot(cut))).toEqual([
      'ok',
      closingText('unknown', cut),
      closingText('not-started', cut),
      'error: broken',
    ]);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ unknown: ['deaf'] }]);
    await goesOn(on, turn);
  });

  test('between the calls of an ordered batch: the rest is not started', async () => {
    const first = tool({ name: 'first', effect: 'read', execute: () => void turn.stop() });
    const second = tool({ name: 'second', execute: () => expect.unreachable() });
    await using on = await stage([[{ call: 'first' }, { call: 'second' }], 'again'], {
      tools: [first, second],
      ordered: true,
    });
    const turn: Started = on.start();
    await turn.done.catch(() => {});
    // It stopped its own turn: its result came after the cut.
    expect(resultsOf(turn.turn.snapshot(cut))).toEqual([closingText('unknown', cut), closingText('not-started', cut)]);
    await goesOn(on, turn);
  });

  test('while an unsafe tool is being recorded: it does not start', async () => {
    const held = pending();
    const pay = tool({ name: 'pay', execute: () => expect.unreachable() });
    await using on = await stage([[{ call: 'pay' }], 'again'], { tools: [pay], beforeUnsafe: () => held.promise });
    const turn = on.start();
    while (turn.unsafe.length === 0) await flushed();
    const stopped = turn.stop();
    held.open();
    const receipt = await stopped;
    expect(resultsOf(turn.turn.snapshot(cut))).toEqual([closingText('not-started', cut)]);
    expect((await receipt.whenQuiet()).runs).toMatchObject([{ unknown: [], state: 'quiet' }]);
    await goesOn(on, turn);
  });

  test.each<['schema' | 'approval', string]>([
    ['schema', 'while its arguments are checked'],
    ['approval', 'while it is asked whether it needs approval'],
  ])('(%s) %s: the tool does not start, and the error of the check is no result', async (which) => {
    const held = pending();
    let asked = 0;
    let checks = 0;
    const parameters = {
      '~standard': {
        validate: async (value: unknown) => {
          if (which === 'schema') checks += 1;
          if (which === 'schema') await held.promise;
          return { value };
        },
        jsonSchema: { input: () => ({ type: 'object' }) },
      },
    };
    const needsApproval = async (): Promise<boolean> => {
      asked += 1;
      checks += 1;
      if (which === 'approval') await held.promise;
      throw new Error('no policy');
    };
    const pay = tool({ name: 'pay', parameters, needsApproval, execute: () => expect.unreachable() });
    await using on = await stage([[{ call: 'pay' }], 'again'], { tools: [pay] });
    const turn = on.start();
    await until(() => checks > 0);
    const stopped = turn.stop();
    held.open();
    await stopped;
    expect(asked).toBe(which === 'approval' ? 1 : 0);
    expect(resultsOf(turn.turn.snapshot(cut))).toEqual([closingText('not-started', cut)]);
    await goesOn(on, turn);
  });

  test('at the last step ends it as stopped, with its answer', async () => {
    const hold = new Hold();
    await using on = await stage([[{ call: 'look' }], ['all of it', hold], 'again'], { tools: [look], maxSteps: 2 });
    const turn = on.start();
    await until(() => textsOf(turn.events) === 'all of it');
    await turn.stop();
    expect(turn.turn.snapshot(cut).at(-1)).toEqual({ role: 'assistant', content: 'all of it' });
    await goesOn(on, turn);
  });
});

test('what a tool throws after the stop is in the receipt, and not shown to the model', async () => {
  const held = pending();
  const late = new Error('the bank is down');
  const pay = tool({ name: 'pay', execute: () => held.promise.then(() => Promise.reject(late)) });
  await using on = await stage([[{ call: 'pay' }], 'again'], { tools: [pay], onError: true });
  const turn = on.start();
  await started(turn, 1);
  await turn.stop();
  held.open();
  await flushed();
  expect(on.errors).toEqual([late]);
  expect(resultsOf(turn.turn.snapshot(cut))).toEqual([closingText('unknown', cut)]);
});

async function started({ events }: Started, count: number): Promise<void> {
  await until(() => events.filter(({ type }) => type === 'tool-start').length === count);
}
