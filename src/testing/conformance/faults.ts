import { strict as assert } from 'node:assert';
import { FaultyBackend } from '../faulty-backend.js';
import { item } from './answers.js';
import type { Scenario } from './scenario.js';

/** What becomes of runs when the way to the store is bad: a proxy loses answers and notices. */
export const faults: readonly Scenario[] = [
  {
    name: 'lost-notice: a stop whose notice is lost is found in the truth when the node reads it again',
    run: async (bench) => {
      const faulty = new FaultyBackend({ over: await bench.connect() });
      const control = await bench.control({ backend: faulty });
      const other = await bench.node();
      const key = bench.key();
      const run = await bench.begin(control, { sessionKey: key });
      const grant = await control.locks.acquire(key, { holder: run });
      faulty.isDeaf = true;
      await other.stop(key, [item({ runId: run.id, generation: run.generation })]);
      await assert.rejects(
        run.gate(() => {}),
        { code: 'RUN_ABORTED' },
        'a strict check finds it at once',
      );
      faulty.heal();
      await bench.eventually('the run is cut', () => !run.isCurrent());
      assert.equal(grant.lost.aborted, true);
    },
  },
  {
    name: 'lost-claim: a claim that took effect and was not answered leaves no run behind, and is not run twice',
    run: async (bench) => {
      const faulty = new FaultyBackend({ over: await bench.connect() });
      const control = await bench.control({ backend: faulty });
      const observer = await bench.node();
      const [key, runId] = [bench.key(), bench.key('run')];
      faulty.failNext('claim', 'after');
      await assert.rejects(control.runs.begin({ sessionKey: key, runId }), { code: 'BACKEND_UNAVAILABLE' });
      await bench.eventually('no one has the session', async () => (await observer.runsOf(key)).length === 0);
      const next = await bench.begin(control, { sessionKey: key });
      assert.deepEqual(control.runs.session(key).activeRunIds, [next.id]);
    },
  },
  {
    name: 'lost-lock: a lock that was granted and not answered is given back',
    run: async (bench) => {
      const faulty = new FaultyBackend({ over: await bench.connect() });
      const control = await bench.control({ backend: faulty });
      const observer = await bench.node();
      const key = bench.key();
      faulty.failNext('lock', 'after');
      await assert.rejects(control.locks.acquire(key), { code: 'BACKEND_UNAVAILABLE' });
      await bench.eventually('no one has the lock', async () => (await observer.holder(key)) === undefined);
    },
  },
  {
    name: 'doubled-stop: a stop that arrives a second time, late, does not hit the run that began after its answer',
    run: async (bench) => {
      const faulty = new FaultyBackend({ over: await bench.connect() });
      const [control, other] = [await bench.control({ backend: faulty }), await bench.control()];
      const key = bench.key();
      const run = await bench.begin(other, { sessionKey: key });
      faulty.duplicateNext('stop');
      const receipt = await control.abort({ sessionKey: key });
      assert.deepEqual(receipt.runIds, [run.id]);
      await bench.eventually('the run is cut', () => !run.isCurrent());
      run.complete();
      const next = await bench.begin(other, { sessionKey: key });
      faulty.release('stop');
      await bench.eventually('it has arrived', () => faulty.heldCalls === 0);
      await next.commit(() => {});
      assert.equal(next.isCurrent(), true);
    },
  },
  {
    name: 'doubled-claim: a claim that arrives a second time, after its run has ended, leaves no run behind',
    run: async (bench) => {
      const faulty = new FaultyBackend({ over: await bench.connect() });
      const control = await bench.control({ backend: faulty });
      const observer = await bench.node();
      const key = bench.key();
      faulty.duplicateNext('claim');
      const run = await bench.begin(control, { sessionKey: key });
      run.complete();
      await bench.eventually('the end is told', async () => (await observer.runsOf(key)).length === 0);
      faulty.release('claim');
      await bench.eventually('it has arrived', () => faulty.heldCalls === 0);
      faulty.heal();
      await bench.eventually('no one has the session', async () => (await observer.runsOf(key)).length === 0);
      await bench.begin(control, { sessionKey: key });
    },
  },
  {
    name: 'out-of-reach: a claim fails, a stop holds here and says so; what ended is told when the store is back',
    run: async (bench) => {
      const faulty = new FaultyBackend({ over: await bench.connect() });
      const control = await bench.control({ backend: faulty });
      const observer = await bench.node();
      const key = bench.key();
      const run = await bench.begin(control, { sessionKey: key });
      faulty.isDown = true;
      await assert.rejects(control.runs.begin({ sessionKey: bench.key() }), { code: 'BACKEND_UNAVAILABLE' });
      const receipt = await control.abort({ runId: run.id });
      assert.deepEqual([receipt.result, receipt.recorded, run.isCurrent()], ['aborted', 'unreachable', false]);
      run.complete();
      faulty.heal();
      await bench.eventually('the end is told', async () => (await observer.runsOf(key)).length === 0);
    },
  },
  {
    name: 'listener-throws: a listener that throws at a loss stops no other listener, and goes to onError',
    run: async (bench) => {
      const errors: unknown[] = [];
      const control = await bench.control({ onError: (error) => errors.push(error) });
      const other = await bench.control();
      const key = bench.key();
      const lost: number[] = [];
      control.on('lock:lost', () => {
        throw new Error('the listener’s own');
      });
      control.on('lock:lost', ({ token }) => lost.push(token));
      const run = await bench.begin(control, { sessionKey: key });
      const grant = await control.locks.acquire(key, { holder: run });
      await bench.begin(other, { sessionKey: key });
      await bench.eventually('the loss is told', () => lost.length > 0);
      assert.deepEqual(lost, [grant.token]);
      assert.ok(errors.some((error) => /the listener’s own/.test(String(error))));
    },
  },
];
