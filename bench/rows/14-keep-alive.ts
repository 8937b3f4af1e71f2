import { HOSTS } from '../../test/node/hosts/hosts.js';
import { keepAlive } from '../../test/node/hosts/keep-alive.js';
import { startHost } from '../../test/node/hosts/stage.js';
import { absolute, type Figure } from '../harness/figure.js';
import type { Row } from '../harness/row.js';

const REQUESTS = 10_000;
const SEED = 14;

export const row: Row = {
  title: `hang-ups among ${REQUESTS} requests on kept connections`,
  measure: async (bench) => {
    const figures: Figure[] = [];
    for (const name of Object.keys(HOSTS)) {
      for (const mode of ['json', 'sse'] as const) {
        bench.note(`${name}, ${mode}`);
        const stage = await startHost(name);
        const { falseAborts, missed, left } = await keepAlive(stage, mode, bench.count(REQUESTS), SEED);
        await stage.close();
        figures.push(absolute(`${name}, ${mode}: false aborts`, '', [falseAborts], { budget: 0, stretch: 0 }));
        figures.push(absolute(`${name}, ${mode}: missed of ${left}`, '', [missed], { budget: 0, stretch: 0 }));
      }
    }
    return figures;
  },
};
