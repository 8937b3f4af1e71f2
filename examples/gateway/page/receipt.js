import { after, count, duration, listed } from './words.js';

/**
 * What the receipt of a stop and its timeline say, as rows for a picture, in plain words. Only what was seen is in it.
 *
 * A row is `{ label, term, from, to, text, is }`: `from` and `to` in ms since the stop, `is` one of `moment`, `done`,
 * `pending`, `left` and `unsure`.
 */
export function receiptRows(receipt, timeline, hasBegun) {
  const elapsedMs = Math.max(receipt.elapsedMs, timeline?.quietMs ?? timeline?.elapsedMs ?? 0);
  const names = new Set(receipt.runs.flatMap(({ leftovers }) => leftovers));
  const started = [...tools(receipt, timeline, names, elapsedMs), ...processes(receipt, timeline, names, elapsedMs)];
  const rows = [
    ...beginning(receipt, timeline),
    ...started,
    ...others(
      names,
      elapsedMs,
      started.some(({ is }) => is === 'left'),
    ),
    ...ending(receipt, timeline, elapsedMs),
  ];
  return { rows, left: rows.filter(({ is }) => is === 'left'), elapsedMs, isQuiet: receipt.quiet, hasBegun };
}

/** The receipt in one sentence. */
export function headline({ left, elapsedMs, isQuiet, hasBegun, rows }) {
  if (!hasBegun) return 'It was still waiting, and never began.';
  if (!isQuiet && left.length > 0) {
    const names = listed(left.map(({ label }) => label));
    return `Still running ${duration(elapsedMs)} after the stop: ${names}.`;
  }
  if (!isQuiet) return 'Not all of it has ended yet.';
  const ended = rows.filter(({ isWork }) => isWork).length;
  const what = ended < 2 ? 'It' : `All ${ended} things that it had started`;
  return `${what} ended within ${duration(elapsedMs)}. Nothing is left running.`;
}

function beginning({ runs }, timeline) {
  const rows = [];
  if (timeline?.lastTextMs !== undefined) {
    const text = `${duration(-timeline.lastTextMs)} before the stop`;
    rows.push({
      label: 'Last words',
      term: 'last delta',
      from: timeline.lastTextMs,
      to: timeline.lastTextMs,
      text,
      is: 'moment',
    });
  }
  const at = timeline && new Date(timeline.stoppedAt).toLocaleTimeString();
  rows.push({
    label: 'Stop',
    term: 'signal',
    from: 0,
    to: 0,
    text: at === undefined ? 'came' : `came at ${at}`,
    is: 'moment',
  });
  const fenced = runs.reduce((sum, { fencedEffects }) => sum + fencedEffects, 0);
  if (fenced > 0)
    rows.push({
      label: 'Held back',
      term: 'fence',
      text: `${count(fenced, 'late step')} that came after the stop`,
      is: 'done',
    });
  return rows;
}

function tools({ runs }, timeline, names, elapsedMs) {
  const unknown = new Set(runs.flatMap((run) => run.unknown));
  return (timeline?.tools ?? []).map(({ name, endedMs }) => {
    const isLeft = endedMs === undefined && names.has(name);
    if (isLeft) names.delete(name);
    const how = unknown.has(name) ? ', its result unseen: it may have done its work' : '';
    return work({ label: `Tool ${name}`, term: 'tool', endMs: endedMs, isLeft, elapsedMs, ended: 'ended', how });
  });
}

function processes(receipt, timeline, names, elapsedMs) {
  const seen = new Set();
  const rows = (timeline?.processes ?? []).map(({ pid, name, goneMs, by }) => {
    seen.add(pid);
    const own = [...names].find((left) => pidOf(left) === pid);
    names.delete(own);
    const isLeft = goneMs === undefined && !receipt.quiet;
    const how = by === undefined ? '' : by === 'SIGKILL' ? ', by force (SIGKILL)' : `, as it was asked to (${by})`;
    return work({
      label: `Process ${name} ${pid}`,
      term: `pid ${pid}`,
      endMs: goneMs,
      isLeft,
      elapsedMs,
      ended: 'gone',
      how,
    });
  });
  const others = [...names].filter((left) => pidOf(left) !== undefined);
  for (const left of others) {
    names.delete(left);
    if (seen.has(pidOf(left))) continue;
    rows.push(work({ label: processName(left), term: `pid ${pidOf(left)}`, isLeft: true, elapsedMs }));
  }
  return rows;
}

/** What is still there and was not seen in any other way. */
function others(names, elapsedMs, isWaiting) {
  return [...names].map((left) => {
    const pending = { term: left, from: 0, to: elapsedMs, is: 'pending' };
    if (left === 'backend') return { ...pending, label: 'The store', text: 'has not confirmed the stop yet' };
    if (left === 'work' && isWaiting)
      return { ...pending, label: OTHERS.work, text: 'waits for what is still running' };
    return work({ label: OTHERS[left] ?? left, term: left, isLeft: true, elapsedMs });
  });
}

function ending({ runs, saved, quiet }, timeline, elapsedMs) {
  const rows = [];
  const lock = LOCKS[runs[0]?.lock] ?? (timeline?.lockMs === undefined ? undefined : LOCKS.released);
  if (lock !== undefined) {
    const { text, is } = lock;
    const to = is === 'done' ? timeline?.lockMs : elapsedMs;
    rows.push({
      label: 'Conversation',
      term: 'lock',
      from: 0,
      to,
      text: to === undefined ? text : `${text} ${after(to)}`,
      is,
    });
  }
  const save = SAVES[saved.state];
  if (save !== undefined) {
    const to = timeline?.savedMs;
    const text = to === undefined || save.is !== 'done' ? save.text : `${save.text} ${after(to)}`;
    rows.push({
      label: 'Partial answer',
      term: 'epilogue',
      from: 0,
      to: to ?? (save.is === 'done' ? undefined : elapsedMs),
      ...save,
      text,
    });
  }
  if (quiet)
    rows.push({
      label: 'All quiet',
      term: 'quiet',
      from: elapsedMs,
      to: elapsedMs,
      text: after(elapsedMs),
      is: 'moment',
    });
  return rows;
}

/** Something that goes on until it ends: a tool, a process, a piece of the host's own. */
function work({ label, term, endMs, isLeft, elapsedMs, ended, how = '' }) {
  const row = { label, term, from: 0, isWork: true };
  if (endMs !== undefined) {
    return { ...row, to: endMs, text: `${ended} ${after(endMs)}${how}`, is: 'done' };
  }
  if (isLeft) return { ...row, to: elapsedMs, text: `still running ${after(elapsedMs)}`, is: 'left' };
  return { ...row, to: elapsedMs, text: `not seen any more ${after(elapsedMs)}`, is: 'unsure' };
}

function pidOf(leftover) {
  const [, pid] = /^(?:unknown: )?process .* \((\d+)\)$/.exec(leftover) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

function processName(leftover) {
  const [, isUnknown, name] = /^(unknown: )?process (.*) \(\d+\)$/.exec(leftover) ?? [];
  return isUnknown === undefined ? `Process ${name} ${pidOf(leftover)}` : `What ${name} ${pidOf(leftover)} has started`;
}

const OTHERS = {
  work: 'The agent itself',
  read: 'A read of the conversation',
  commit: 'A write',
  epilogue: 'The save of the answer',
  defer: 'The clean-up',
};

const LOCKS = {
  released: { text: 'free for the next message', is: 'done' },
  pending: { text: 'not free yet: a write is under way', is: 'pending' },
  revoked: { text: 'taken from a write that did not end', is: 'unsure' },
  failed: { text: 'could not be set free', is: 'left' },
};

const SAVES = {
  saved: { text: 'saved', is: 'done' },
  failed: { text: 'could not be saved', is: 'left' },
  'timed-out': { text: 'not saved in time', is: 'unsure' },
  skipped: { text: 'not saved: a newer message came first', is: 'unsure' },
};
