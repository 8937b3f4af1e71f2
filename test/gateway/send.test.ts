import { expect, test } from 'vitest';
import { says } from '../agent/support/scripted.js';
import { gatewayStage } from './support/stage.js';

test('a send is answered with its run, and then the run is told, with one last event', async () => {
  const { client } = gatewayStage(says('hello'));
  const ada = await client();
  const { payload } = await ada.call('chat.send', { sessionKey: 'c', message: 'hi', idempotencyKey: 'k' });
  expect(payload).toEqual({ runId: expect.any(String), status: 'started' });
  expect(await ada.end()).toMatchObject({ runId: payload?.runId, state: 'final', text: 'hello', sessionKey: 'c' });
  expect(ada.said()).toEqual(['hello', 'final']);
  const ack = ada.frames.findIndex(({ id }) => id === 'r2');
  const first = ada.frames.findIndex(({ event }) => event === 'chat');
  expect(ack).toBeLessThan(first);
});
