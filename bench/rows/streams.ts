import { createRunControl, type Run, type RunControl } from 'runfence';
import { createRunStreams, type Merge, type RunStreams } from 'runfence/streams';
import { absolute } from '../harness/figure.js';
import { heapUsed } from '../harness/heap.js';
import { type Bench, check, type Row, sink } from '../harness/row.js';

interface Delta {
  readonly type: 'text';
  readonly text: string;
}

const merge: Merge<Delta> = {
  key: ({ type }) => type,
  text: ({ text }) => text,
  with: ({ type }, text) => ({ type, text }),
};
const WORDS: readonly Delta[] = Array.from({ length: 256 }, (_, i) => ({ type: 'text', text: ` tok${i % 100}` }));
const TOKENS = 2_000;

function begin(control: RunControl, runId: string): Run {
  const begun = control.runs.beginSync({ sessionKey: runId, runId, owner: { userId: 'ada' } });
  check(begun.status === 'started', 'a run that starts');
  return begun.run;
}

/** Publishes so many tokens of one run, whose subscribers keep pace: each token is delivered before the next. */
async function publish(streams: RunStreams<Delta>, run: Run, tokens: number, subscribers: number): Promise<void> {
  let delivered = 0;
  const follow = async (): Promise<void> => {
    for await (const item of streams.subscribe(run.id) ?? []) if (item.type === 'event') delivered += 1;
  };
  const following = Array.from({ length: subscribers }, follow);
  for (let i = 0; i < tokens; i++) {
    check(streams.publish(run, WORDS[i & 255] as Delta) !== undefined, 'a token that is recorded');
    // Every one of them has taken it and waits again.
    for (let turns = 0; turns < 4 && delivered < (i + 1) * subscribers; turns++) await undefined;
  }
  run.complete();
  await Promise.all(following);
  check(delivered === tokens * subscribers, `every token to each of ${subscribers} subscribers`);
}

/** The heap that a recorded run takes: its tokens are strings of their own, as a parser makes them. */
function recorded(bench: Bench, count: number): number {
  const control = createRunControl();
  const streams = createRunStreams<Delta>(control, { merge, perPrincipal: { maxBytes: Number.MAX_SAFE_INTEGER } });
  const ids = Array.from({ length: count }, (_, i) => `run-${i}`);
  const bare = createRunControl();
  for (const id of ids) begin(bare, id).complete();
  const before = heapUsed();
  for (const id of ids) {
    const run = begin(control, id);
    for (let i = 0; i < TOKENS; i++) streams.publish(run, { type: 'text', text: ` t${(i * 7919) % 100}` });
    run.complete();
  }
  const bytes = (heapUsed() - before) / count;
  check(streams.usage.runs === count, 'as many records as runs');
  bench.note(`${count} runs, ${streams.usage.bytes} bytes by its own count`);
  sink.value = [control, streams, bare];
  return bytes;
}

export const row: Row = {
  title: 'run streams: publishing a token',
  measure: async (bench) => {
    const control = createRunControl({ retention: { ttlMs: 0 } });
    const merged = createRunStreams<Delta>(control, { merge });
    const alone = createRunStreams<Delta>(control);
    let runs = 0;
    const batch = (streams: RunStreams<Delta>, subscribers: number) => (tokens: number) =>
      publish(streams, begin(control, `r${runs++}`), tokens, subscribers);
    const list = (tokens: number): void => {
      const events: { readonly seq: number; readonly event: Delta }[] = [];
      for (let i = 0; i < tokens; i++) events.push({ seq: i + 1, event: WORDS[i & 255] as Delta });
      check(events.length === tokens, 'every token');
      sink.value = events;
    };
    const [deltas, events, one, hundred, array] = await bench.compare([
      { name: 'merged', batch: batch(merged, 0) },
      { name: 'each alone', batch: batch(alone, 0) },
      { name: 'merged, a subscriber', batch: batch(merged, 1) },
      { name: 'merged, 100 subscribers', batch: batch(merged, 100) },
      { name: 'array of events', batch: list },
    ]);
    const memory = Array.from({ length: bench.repetitions(5) }, () => recorded(bench, bench.count(1_000)));
    return [
      absolute('merged', 'ns', deltas.values, { budget: 700, stretch: 300 }),
      absolute('not merged', 'ns', events.values, { budget: 1_200, stretch: 500 }),
      absolute('merged, one subscriber that keeps pace', 'ns', one.values, { budget: 2_000, stretch: 1_000 }),
      absolute('merged, 100 subscribers that keep pace', 'ns', hundred.values, { budget: 100_000, stretch: 50_000 }),
      absolute('an array of events, without stop, limits and subscribers', 'ns', array.values),
      absolute(`heap of an ended run of ${TOKENS} tokens`, 'B', memory, { budget: 30_000, stretch: 16_000 }),
    ];
  },
};
