import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRunControl, type RunControl } from 'runfence';
import { createAgentRunner, type History, memoryHistory } from 'runfence/agent';
import { fileHistory } from 'runfence/agent/files';
import { files } from 'runfence/files';
import { openaiAgent } from 'runfence/openai';
import { type Figure, percentiles } from '../harness/figure.js';
import { clientOf } from '../harness/openai.js';
import { type Bench, check, type Row } from '../harness/row.js';

/** More than is said before the stop. */
const ENDLESS = 1e9;

/** A stop in mid-answer, as a server makes it: it answers the user, and the partial answer is kept. */
async function stops(bench: Bench, name: string, control: RunControl, history: History): Promise<Figure[]> {
  const runner = createAgentRunner(control, { agent: openaiAgent({ client: clientOf(ENDLESS), model: 'm' }), history });
  const returned: number[] = [];
  const saved: number[] = [];
  const rounds = bench.count(500);
  for (let round = 0; round < rounds; round++) {
    // A session each: what a long history costs is another matter.
    const sessionKey = `chat ${round}`;
    const sent = await runner.send({ sessionKey, messages: 'hi' });
    check(sent.status === 'started', 'a turn that starts');
    let heard = 0;
    for await (const item of sent.events() ?? []) {
      if (item.type === 'event' && item.event.type === 'text') heard += 1;
      if (heard > 5) break;
    }
    const abortedAt = performance.now();
    const receipt = await control.abort({ sessionKey });
    returned.push((performance.now() - abortedAt) * 1e3);
    const [answer] = Object.values(await receipt.whenSaved());
    saved.push((performance.now() - abortedAt) * 1e3);
    check(receipt.result === 'aborted' && answer?.state === 'saved', 'a partial answer that is saved');
    if (round % 100 === 99) bench.note(`${name}: ${round + 1} stops`);
  }
  await control.drain();
  return [...percentiles(`${name}: abort() returns`, 'us', returned), ...percentiles(`${name}: saved`, 'us', saved)];
}

export const row: Row = {
  title: 'from abort() to its return, and to the partial answer that is saved',
  measure: async (bench) => {
    const figures = await stops(bench, 'in memory', createRunControl(), memoryHistory());
    const folder = mkdtempSync(join(tmpdir(), 'runfence-bench-'));
    try {
      const control = createRunControl({ backend: files({ dir: join(folder, 'runs') }) });
      figures.push(
        ...(await stops(bench, 'in files, with fsync', control, fileHistory({ dir: join(folder, 'history') }))),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
    return figures;
  },
};
