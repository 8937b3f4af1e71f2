import { RunRegistry } from 'runfence';
import { absolute, onNode, ratio } from '../harness/figure.js';
import { check, type Row, sink } from '../harness/row.js';
import { begin, keyAt, NO_RETENTION } from '../harness/sessions.js';

export function handRolled(operations: number): void {
  const controllers = new Map<string, AbortController>();
  for (let i = 0; i < operations; i++) {
    const key = keyAt(i);
    const controller = new AbortController();
    controllers.set(key, controller);
    sink.value = controller.signal;
    if (controllers.get(key) === controller) controllers.delete(key);
  }
  check(controllers.size === 0, 'an empty map');
}

export const row: Row = {
  title: 'begin and end, with an owner, signal not read',
  measure: async (bench) => {
    const retaining = new RunRegistry();
    const forgetting = new RunRegistry({ retention: NO_RETENTION });
    const beginAndEnd = (registry: RunRegistry, operations: number): void => {
      for (let i = 0; i < operations; i++) {
        const run = begin(registry, { sessionKey: keyAt(i), owner: { userId: 'ada' } });
        sink.value = run;
        run.complete();
      }
      check(registry.list().length === 0, 'no run is left');
    };
    const [retained, forgotten, map] = await bench.compare([
      { name: 'runfence', batch: (operations) => beginAndEnd(retaining, operations) },
      { name: 'runfence', batch: (operations) => beginAndEnd(forgetting, operations) },
      { name: 'Map + AbortController', batch: handRolled },
    ]);
    return [
      ratio('ended runs retained', retained, map, onNode({ 20: { budget: 0.4, stretch: 0.22 } })),
      absolute('ended runs retained', 'ns', retained.values, onNode({ 24: { budget: 700, either: 'cost' } })),
      ratio('retention off', forgotten, map, onNode({ 24: { budget: 3.5, stretch: 2.1, either: 'cost' } })),
    ];
  },
};
