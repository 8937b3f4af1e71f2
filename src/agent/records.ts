import { RunfenceError } from '../index.js';
import type { TurnRecord } from './history.js';

const STATES: readonly unknown[] = ['open', 'whole', 'cut', 'failed'];

/**
 * The turns that a history gave, in their order. A history is nobody's trusted object: what is no turn must not reach the
 * model, nor be written back.
 *
 * @throws `HISTORY_INVALID`
 */
export function checkRecords(given: unknown): TurnRecord[] {
  if (!Array.isArray(given)) throw invalidHistory('it gave no array of turns');
  const records = given.map((record, at) => {
    if (!isRecord(record)) throw invalidHistory(`turn ${at} of what it gave is no turn`);
    return record;
  });
  if (new Set(records.map(({ runId }) => runId)).size < records.length) throw invalidHistory('it gave a turn twice');
  return records.sort((a, b) => a.order - b.order);
}

function isRecord(value: unknown): value is TurnRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { runId, order, generation, kind, format, incoming, answer, state, steered, messageIds } = value as TurnRecord;
  return (
    typeof runId === 'string' &&
    typeof kind === 'string' &&
    typeof format === 'string' &&
    Number.isSafeInteger(order) &&
    Number.isSafeInteger(generation) &&
    Array.isArray(incoming) &&
    Array.isArray(answer) &&
    (steered === undefined || Array.isArray(steered)) &&
    (messageIds === undefined || Array.isArray(messageIds)) &&
    STATES.includes(state)
  );
}

export function invalidHistory(what: string): RunfenceError {
  return new RunfenceError('HISTORY_INVALID', `The history cannot be used: ${what}.`);
}
