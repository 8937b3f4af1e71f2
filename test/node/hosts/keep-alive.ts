import { Random } from '../../../src/testing/random.js';
import { isUnnamed, type Mode, type Step } from './app.js';
import { BODY } from './client.js';
import type { HostStage } from './stage.js';

export interface Counts {
  /** Requests on kept connections whose clients stayed. */
  readonly stayed: number;
  /** Those of them whose run was stopped, or whose answer was not whole. */
  readonly falseAborts: number;
  /** Requests between them whose clients left. */
  readonly left: number;
  /** Those of them whose run went on. */
  readonly missed: number;
}

const STEPS: readonly Step[] = ['login', 'watched', 'work'];
const PARALLEL = 4;
/** Of so many requests, one leaves. */
const LEAVES = 20;

/** Many requests on kept connections, with some between them that leave. */
export async function keepAlive(stage: HostStage, mode: Mode, count: number, seed: number): Promise<Counts> {
  const random = new Random(seed);
  const counts = { stayed: 0, falseAborts: 0, left: 0, missed: 0 };
  const { control, probes, client } = stage;
  // Also if its client got a whole answer.
  const off = control.on('run:aborted', ({ run }) => {
    if (isUnnamed(run.sessionKey)) counts.falseAborts += 1;
  });
  const expectedText = mode === 'json' ? BODY : `data: ${BODY}\n\ndata: more\n\ndata: ${BODY}\n\n`;
  const leave = async (at: number): Promise<void> => {
    const step = STEPS[random.below(STEPS.length)] ?? 'work';
    const probe = probes.add(`${mode} ${at}`, step);
    const leaving = await client.leaving({ mode, name: probe.name });
    await probe.gates[step].reached;
    await stage.leave(leaving);
    probe.gates[step].open();
    await probe.over.reached;
    probes.remove(probe.name);
    counts.left += 1;
    if (probe.outcome !== 'disconnect') counts.missed += 1;
  };
  let at = 0;
  const work = async (): Promise<void> => {
    while (at < count) {
      at += 1;
      if ((await client.post({ mode }).catch(() => '')) !== expectedText) counts.falseAborts += 1;
      counts.stayed += 1;
    }
  };
  const leavers = async (): Promise<void> => {
    for (let one = 0; one < Math.ceil(count / LEAVES); one += 1) await leave(one);
  };
  await Promise.all([...Array.from({ length: PARALLEL }, work), leavers()]);
  off();
  return counts;
}
