import type { Run } from 'runfence';

/** What is read of a run, or of its place in a queue, when it is walked over. */
const OF_A_RUN = ['status', 'nextInSession', 'spec'];
const OF_ITS_PLACE = ['next'];

/** How often runs are looked at. Time differs from machine to machine; the number of looks does not. */
export class Steps {
  count = 0;

  watch(run: Run): void {
    this.#watch(run, OF_A_RUN);
    const { candidate } = run as { candidate?: object };
    if (candidate !== undefined) this.#watch(candidate, OF_ITS_PLACE);
  }

  #watch(target: object, names: readonly string[]): void {
    for (const name of names) {
      let value: unknown = Reflect.get(target, name);
      Object.defineProperty(target, name, {
        configurable: true,
        get: () => {
          this.count += 1;
          return value;
        },
        set: (next: unknown) => {
          value = next;
        },
      });
    }
  }
}
