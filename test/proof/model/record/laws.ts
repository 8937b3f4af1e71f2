import type { ClaimAnswer, LockAnswer, Snapshot, StopAnswer } from 'runfence/backend';
import type { Change, Other } from './operations.js';
import { same } from './same.js';

/** What holds whatever the reference says: versions rise with each change, and no number is drawn twice. */
export class Laws {
  /** What each number was drawn for. */
  readonly #numbers = new Map<number, string>();
  #highest = 0;
  readonly #records = new Map<string, Snapshot>();

  /** @returns what is broken */
  answered(operation: Change | Other, answer: unknown): string | undefined {
    switch (operation.kind) {
      case 'claim': {
        const { runId, sessionKey } = operation.request;
        const claimed = answer as ClaimAnswer;
        if (claimed.kind !== 'granted') return undefined;
        for (const epilogue of claimed.epilogues) this.#highest = Math.max(this.#highest, epilogue.token);
        return this.#number(claimed.generation, `run ${runId} of ${sessionKey}`, false);
      }
      case 'lock': {
        const { sessionKey, reserved } = operation.request;
        const locked = answer as LockAnswer;
        if (locked.kind !== 'granted') return undefined;
        return this.#number(locked.token, `token of ${sessionKey}`, reserved !== undefined);
      }
      case 'stop':
      case 'stopEverywhere': {
        const { nodeId, attempt, number } = operation.request;
        const stopped = answer as Pick<StopAnswer, 'number'>;
        if (stopped.number === undefined) return undefined;
        return this.#number(stopped.number, `stop ${attempt} of ${nodeId}`, number !== undefined);
      }
      default:
        return undefined;
    }
  }

  /** @returns what is broken */
  read(record: Snapshot): string | undefined {
    const before = this.#records.get(record.sessionKey);
    this.#records.set(record.sessionKey, record);
    if (before === undefined || isAbsent(before) || isAbsent(record)) {
      return before !== undefined && record.version < before.version ? 'a version falls' : undefined;
    }
    if (record.version > before.version) return undefined;
    // A stop that is forgotten moves nothing.
    const isSame = record.version === before.version && same({ ...record, stops: [] }, { ...before, stops: [] });
    return isSame ? undefined : 'a change moves no version';
  }

  #number(number: number, meaning: string, mayBeOld: boolean): string | undefined {
    const known = this.#numbers.get(number);
    this.#numbers.set(number, meaning);
    if (known !== undefined)
      return known === meaning ? undefined : `${number} is drawn for ${known} and for ${meaning}`;
    if (number <= this.#highest && !mayBeOld) return `${number} is drawn after ${this.#highest}`;
    this.#highest = Math.max(this.#highest, number);
    return undefined;
  }
}

function isAbsent({ runs, holder, reserved, stops }: Snapshot): boolean {
  return runs.length + reserved.length + stops.length === 0 && holder === undefined;
}
