import { RunfenceError } from 'runfence';
import { createGateway, GatewayError, gatewayMethod } from 'runfence/gateway';
import { describe, expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { byToken, gatewayStage } from './support/stage.js';

describe('methods of the host', () => {
  const methods = {
    'notes.add': gatewayMethod(
      (value) => {
        const { text } = value as { text?: unknown };
        if (typeof text !== 'string') throw new TypeError('a secret');
        return { text };
      },
      ({ text }, { principal, sessionKey, emit }) => {
        emit('notes.added', { text });
        return { by: principal.userId, session: sessionKey('s') };
      },
    ),
    fails: gatewayMethod(
      () => ({}),
      () => {
        throw new Error('a secret');
      },
    ),
    refuses: gatewayMethod(
      () => ({}),
      () => {
        throw new GatewayError('quota', 'You have used it up.');
      },
    ),
    odd: gatewayMethod(
      () => ({}),
      () => ({ big: 1n }),
    ),
  };

  test('get what the client has sent, checked, and who asks; their errors name nothing of the server (M10)', async () => {
    const { client, errors } = gatewayStage(says('hello'), { gateway: { methods } });
    const ada = await client();
    expect((await ada.call('notes.add', { text: 'x' })).payload).toEqual({ by: 'ada', session: '["ada","s"]' });
    expect(ada.events('notes.added')[0]?.payload).toEqual({ text: 'x' });
    expect((await ada.call('notes.add', { text: 7 })).error?.code).toBe('invalid_params');
    expect((await ada.call('refuses')).error).toEqual({ code: 'quota', message: 'You have used it up.' });
    expect((await ada.call('fails')).error?.code).toBe('internal_error');
    expect((await ada.call('odd')).error?.code).toBe('internal_error');
    expect(errors).toHaveLength(2);
    expect(ada.texts.join()).not.toContain('secret');
  });

  test('must not take a name of the gateway, and unknown options are refused (M10)', () => {
    const { runner } = gatewayStage(says('hello'));
    const own = { 'chat.send': methods.fails };
    expect(() => createGateway(runner, { authenticate: byToken, methods: own })).toThrow(RunfenceError);
    expect(() => createGateway(runner, { authenticate: byToken, method: {} } as never)).toThrow('there is no "method"');
    expect(() => createGateway(runner, {} as never)).toThrow('authenticate must be a function');
    expect(() => createGateway({} as never, { authenticate: byToken })).toThrow('needs a runner');
    expect(() => createGateway(runner, { authenticate: byToken, limits: { frameBytes: 0 } })).toThrow('above 0');
  });
});
