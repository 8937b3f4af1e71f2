import { tool } from 'runfence/openai';
import { spawn } from 'runfence/process';
import { Hold } from 'runfence/testing';
import { describe, expect, test } from 'vitest';
import { isRunning } from '../process/witness.js';
import { pageStage } from './support/gateway-stage.js';

describe('the page of examples/gateway', () => {
  test('a message is answered while one looks on, and it is text, whatever is in it', async () => {
    const hold = new Hold();
    const markup = '<img src=x onerror="document.title=1"> & more';
    const { open } = await pageStage({ hello: ['one <b>', hold, markup] });
    const user = await open();
    await user.say('hello');
    await user.shows('one <b>', 'answering');
    await expect.poll(() => user.answers()).toEqual(['one <b>']);
    hold.open();
    await user.shows('answered');
    await expect.poll(() => user.answers()).toEqual([`one <b>${markup}`]);
    expect(await user.page.locator('.answer img, .answer b').count()).toBe(0);
    await expect.poll(() => user.sessions.allTextContents()).toEqual(['helloanswered']);
    expect(user.page.url()).not.toContain('token');
  });

  test('Esc stops an answer in mid-stream, keeps what was said, and the receipt says that nothing is left', async () => {
    const hold = new Hold();
    const { open, app, model } = await pageStage({ hello: ['one ', hold, 'two'] });
    const user = await open();
    await user.say('hello');
    await user.shows('one');
    await user.page.keyboard.press('Escape');
    await user.shows(/It ended within .*\. Nothing is left running\./);
    await user.isIdle();
    await model.requests[0]?.whenEnded;
    await expect
      .poll(async () => [await user.answers(), model.requests[0]?.isHungUp, app.control.runs.list()])
      .toEqual([['one '], true, []]);
    const rows = (await user.rows(user.receipts)).join('\n');
    expect(rows).toMatch(/^Last words last delta: .* before the stop\nStop signal: came at /);
    expect(rows).toMatch(/Conversation lock: free for the next message/);
    expect(rows).toMatch(/Partial answer epilogue: saved .*\nAll quiet: /);
    // The focus is where one goes on.
    await expect
      .poll(() => user.message.evaluate((element) => element === element.ownerDocument.activeElement))
      .toBe(true);
    await user.say('hello again');
    await user.shows('You said: hello again');
  });

  test('a stop during a tree of processes names each by its pid, and all of them are gone', async () => {
    const command = `(trap '' TERM; while :; do sleep 1; done) & setsid sleep 600 & sleep 600 & echo started; wait`;
    const { open } = await pageStage({ go: ['I start. ', { call: 'exec', input: { command } }] });
    const user = await open();
    await user.say('go');
    await user.page.locator('.tool-output').getByText('started').waitFor();
    await user.stop.click();
    await user.shows(/All \d+ things that it had started ended within .*\. Nothing is left running\./);
    const rows = await user.rows(user.receipts);
    const processes = rows.flatMap((row) => {
      const [, name, pid] = /^Process (\S+) (\d+): gone /.exec(row) ?? [];
      return name === undefined ? [] : [{ name, pid: Number(pid) }];
    });
    // The shell, the one that ignores SIGTERM and what it waits for, one in another session, and one more.
    expect(processes.map(({ name }) => name).sort()).toEqual(expect.arrayContaining(['sh', 'sh', 'sleep', 'sleep']));
    expect(processes.filter(({ pid }) => isRunning(pid))).toEqual([]);
    expect(rows.join('\n')).toMatch(/^Tool exec tool: ended .*it may have done its work$/m);
  });

  test('what has survived a stop is named in red, by its pid, until it is gone', async () => {
    let letGo = (): void => {};
    const isLetGo = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let pid = 0;
    const deaf = tool({
      name: 'deaf',
      execute: async (_, { run, emit, callId }) => {
        // It has a minute to end by itself, and ignores that it is asked to.
        const child = await spawn(run, '/bin/sh', ['-c', `trap '' TERM; echo up; while :; do sleep 1; done`], {
          graceMs: 60_000,
        });
        pid = child.pid;
        emit('process', { callId, pid, command: 'sh' });
        for await (const bytes of child.stdout) {
          emit('output', { callId, text: new TextDecoder().decode(bytes) });
          break;
        }
        await isLetGo;
      },
    });
    const { open } = await pageStage({ go: [{ call: 'deaf' }] }, { tools: [deaf] });
    const user = await open();
    await user.say('go');
    await user.page.locator('.tool-output').getByText('up').waitFor();
    await user.page.keyboard.press('Escape');
    await user.shows(new RegExp(`Still running .* after the stop: .*Tool deaf.*Process sh ${pid}`));
    expect(isRunning(pid)).toBe(true);
    const left = user.receipts.locator('li[data-is="left"] .row-label');
    expect((await left.allTextContents()).join()).toContain(`Process sh ${pid}`);
    expect(await left.first().evaluate((element) => getComputedStyle(element).color)).toBe('rgb(179, 32, 42)');
    await user.shows('stopped, something still runs');
    letGo();
    process.kill(-pid, 'SIGKILL');
    await user.shows(/All \d+ things that it had started ended/);
    await expect.poll(async () => [await left.count(), isRunning(pid)]).toEqual([0, false]);
  });

  test('a message takes over: the answer under way is kept as far as it came, and says why it ended', async () => {
    const { open, app } = await pageStage({ hello: ['one ', new Hold()], 'no, this': 'second' });
    const user = await open();
    await user.say('hello');
    await user.shows('one');
    await user.say('no, this', 'Take over');
    await user.shows('second', 'Stopped by a newer message, which took over', /It ended within/);
    await user.isIdle();
    await expect.poll(async () => [await user.answers(), app.control.runs.list()]).toEqual([['one ', 'second'], []]);
  });

  test('a message waits in line, another one is removed from it, and the first is answered afterwards', async () => {
    const hold = new Hold();
    const { open, model } = await pageStage({ hello: ['one ', hold, 'two'] });
    const user = await open();
    await user.say('hello');
    await user.shows('one');
    await user.say('then this', 'Wait in line');
    await user.shows('answering, 1 waiting', 'Waits in line.');
    await user.say('and that', 'Wait in line');
    await user.shows('answering, 2 waiting');
    await user.turns.filter({ hasText: 'and that' }).getByRole('button', { name: 'Remove from the line' }).click();
    await user.shows('It was still waiting, and never began.');
    hold.open();
    await user.shows('You said: then this');
    await user.isIdle();
    await expect
      .poll(async () => [await user.answers(), model.requests.length])
      .toEqual([['one two', 'You said: then this'], 2]);
  });

  test('a message steers the answer under way, which reads it before its next step', async () => {
    const hold = new Hold();
    const { open, model } = await pageStage({ hello: ['one ', hold, 'two'], shorter: 'ok' });
    const user = await open();
    await user.say('hello');
    await user.shows('one');
    await user.say('shorter', 'Steer');
    await user.page.locator('.said').getByText('shorter').waitFor();
    hold.open();
    await user.shows('answered');
    // In the order in which the model has read it.
    const texts = (): Promise<string[]> => user.turns.locator('.said, .answer').allTextContents();
    const order = ['You said: hello', 'Answer: one two', 'You said: shorter', 'Answer: ok'];
    await expect.poll(texts, { timeout: 20_000 }).toEqual(order);
    await expect
      .poll(async () => [await user.turns.count(), await user.receipts.count(), model.requests.length])
      .toEqual([1, 0, 2]);
  });

  test('a page that is loaded again in mid-run catches up, and goes on to the end', async () => {
    const hold = new Hold();
    const { open, model } = await pageStage({ hello: ['one ', hold, 'two'] });
    const user = await open();
    await user.say('hello');
    await user.shows('one');
    await user.page.reload();
    await user.shows('one', 'answering');
    await user.stop.waitFor();
    await expect.poll(() => user.answers()).toEqual(['one ']);
    hold.open();
    await user.shows('answered');
    await expect.poll(() => user.answers()).toEqual(['one two']);
    expect(model.requests).toHaveLength(1);
    await user.page.reload();
    await user.shows('one two');
    await expect.poll(() => user.answers()).toEqual(['one two']);
  });

  test('a page that is loaded again before its first message is acknowledged finds the conversation', async () => {
    const { open, user: browserOf } = await pageStage({ hello: ['one ', new Hold()] });
    const own = await browserOf();
    // The server has the message, and its answer to the send is lost.
    await own.routeWebSocket(/\/ws$/, (socket) => {
      const server = socket.connectToServer();
      server.onMessage((frame) => {
        if (!String(frame).includes('"status":"started"')) socket.send(frame);
      });
    });
    const user = await open(own);
    await user.say('hello');
    await expect.poll(() => user.answers()).toEqual(['one ']);
    await user.page.reload();
    await user.stop.waitFor();
    await expect.poll(() => user.answers()).toEqual(['one ']);
  });

  test('the agent asks before it removes something, also after a reload, and the keyboard answers', async () => {
    const { open } = await pageStage({ clean: [{ call: 'exec', input: { command: 'echo rm; echo gone' } }] });
    const user = await open();
    await user.say('clean');
    await user.shows('The agent asks whether it may run this:', 'asks you');
    await user.page.reload();
    await user.shows('The agent asks whether it may run this:', 'asks you');
    await user.page.getByRole('button', { name: 'Allow', exact: true }).press('Enter');
    await user.shows('answered', /\[exit 0\]/);
    await expect
      .poll(() => user.message.evaluate((element) => element === element.ownerDocument.activeElement))
      .toBe(true);
    await user.say('clean');
    await user.page.getByRole('button', { name: 'Do not allow' }).click();
    await user.shows('not started');
    await user.isIdle();
  });
});
