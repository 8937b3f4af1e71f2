/** A time in words of the size that a person reads. */
export function duration(ms) {
  if (ms < 1) return 'less than 1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** When something was over, counted from the stop. */
export function after(ms) {
  return ms < 1 ? 'within 1 ms' : `after ${duration(ms)}`;
}

/** Why a run was stopped. */
const REASONS = {
  user: 'Stopped',
  superseded: 'Stopped by a newer message, which took over',
  disconnect: 'Stopped, because nobody was watching any more',
  timeout: 'Stopped, because it took too long',
  parent: 'Stopped together with the run that had started it',
  shutdown: 'Stopped, because the server shut down',
  'heartbeat-lost': 'Stopped, because its server lost contact',
  'lock-lost': 'Stopped, because another server took the conversation',
};

export function stopWords(reason) {
  return REASONS[reason] ?? 'Stopped by the server';
}

/** `1 thing`, `2 things`. */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** The beginning of a text, in one line. */
export function short(text, most = 60) {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1).trimEnd()}…`;
}
