import { afterAll, describe, expect, it } from 'vitest';
import { isLong, times } from '../../support/proofs.js';
import type { Target } from './points.js';
import { BUSY, type Busy, FORMS, type Form, scenario } from './scenario.js';
import { type BackendKind, Stage } from './stage.js';
import { ELSEWHERE, MOVED_MS, STOPS } from './stops.js';

/** `LANDINGS=all` lands every stop at every point, `LANDINGS=points` one at each; otherwise one at every so-manieth. */
const LANDINGS = process.env.LANDINGS ?? (isLong ? 'points' : undefined);
const EVERY = LANDINGS === 'all' || LANDINGS === 'points' ? 1 : times(36, 4);
/** One landing, as a failure names it: `LANDING='run | interrupt | memory | the host | 57'`. */
const ONLY = process.env.LANDING;
/** So many failures of one table row are told in full. */
const MOST_TOLD = Number(process.env.LANDINGS_TOLD ?? 5);
/** A row has more points than that, and so many are left for each stop. */
const POINTS: Readonly<Record<BackendKind, { readonly ofRow: number; readonly ofStop: number }>> = {
  private: { ofRow: 380, ofStop: 1_800 },
  memory: { ofRow: 620, ofStop: 2_300 },
  asynchronous: { ofRow: 900, ofStop: 3_000 },
};

const KINDS: readonly BackendKind[] = ['private', 'memory', 'asynchronous'];
const ROWS = FORMS.flatMap((form) =>
  BUSY.flatMap((busy) => KINDS.map((kind): [Form, Busy, BackendKind] => [form, busy, kind])),
).filter(([form, , kind]) => form !== 'beginSync' || kind !== 'asynchronous');
const names = Object.keys(STOPS);

const counts = new Map<string, number>();
const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);

/** Declares the landings on one kind of backend: a file each, so that they run side by side. */
export function landings(kind: BackendKind): void {
  describe(`a stop at ${EVERY === 1 ? 'every point' : `one point of ${EVERY}`}`, () => {
    if (ONLY === undefined) landAll(kind);
    else landOnce(ONLY, kind);
  });
}

function landAll(own: BackendKind): void {
  const rows = ROWS.filter(([, , kind]) => kind === own);
  // A private ledger has no other nodes.
  const stops = names.filter((stop) => own !== 'private' || !ELSEWHERE.includes(stop));

  afterAll(() => {
    const told = (all: readonly string[]): string => all.map((name) => `${name} ${counts.get(name) ?? 0}`).join(', ');
    // Not by the console, of which a test that passes shows nothing.
    process.stdout.write(
      `landings on the ${own} backend: ${counts.get('all') ?? 0}\n  by form: ${told(FORMS)}\n  by stop: ${told(stops)}\n`,
    );
  });

  it.each(rows)('of %s, %s, on the %s backend', async (form, busy, kind) => {
    const row = ROWS.findIndex((one) => one[0] === form && one[1] === busy && one[2] === kind);
    const dry = new Stage(kind, undefined);
    expect(await dry.play(scenario(form, busy))).toEqual([]);
    const failures: string[] = [];
    let failed = 0;
    for (const [at, name] of dry.points.names.entries()) {
      for (const stop of stops) {
        if (LANDINGS !== 'all' && !isTurnOf(names.indexOf(stop), at, row)) continue;
        const wrong = await land(form, busy, kind, stop, { at, name });
        for (const counted of ['all', form, stop]) count(counted);
        if (wrong.length === 0) continue;
        failed += 1;
        if (failures.length < MOST_TOLD) failures.push(told(form, busy, kind, stop, { at, name }, wrong));
      }
    }
    expect({ failed, failures: failures.join('\n') }).toEqual({ failed: 0, failures: '' });
  });

  it('lands often enough', () => {
    const { ofRow, ofStop } = POINTS[own];
    const rowsOf = (form: Form): number => rows.filter(([one]) => one === form).length;
    for (const form of FORMS) {
      if (rowsOf(form) > 0) expect(counts.get(form), form).toBeGreaterThan((ofRow / EVERY) * rowsOf(form));
    }
    for (const stop of stops) expect(counts.get(stop), stop).toBeGreaterThan(ofStop / EVERY);
  });
}

function landOnce(landing: string, own: BackendKind): void {
  const [form, busy, kind, stop, number] = landing.split(' | ') as [Form, Busy, BackendKind, string, string];
  it.runIf(kind === own)(landing, async () => {
    const dry = new Stage(kind, undefined);
    await dry.play(scenario(form, busy));
    const at = Number(number);
    const target = { at, name: dry.points.names[at] ?? 'no point' };
    const wrong = await land(form, busy, kind, stop, target);
    expect(wrong, told(form, busy, kind, stop, target, wrong)).toEqual([]);
  });
}

/** One stop at a point, another one at each. */
function isTurnOf(stop: number, at: number, row: number): boolean {
  return (at + row) % EVERY === 0 && (Math.floor(at / EVERY) + row) % names.length === stop;
}

async function land(form: Form, busy: Busy, kind: BackendKind, stop: string, target: Target): Promise<string[]> {
  const stage = new Stage(kind, target, stop === 'timeout' ? MOVED_MS : 0);
  stage.points.onLanding(() => STOPS[stop]?.(stage));
  const wrong = await stage.play(scenario(form, busy));
  if (!stage.points.hasLanded) wrong.push('the point was not reached again');
  return wrong;
}

function told(
  form: Form,
  busy: Busy,
  kind: BackendKind,
  stop: string,
  target: Target,
  wrong: readonly string[],
): string {
  const line = [form, busy, kind, stop, target.at].join(' | ');
  return `LANDING='${line}' (${target.name})\n${wrong.map((text) => `    ${text}`).join('\n')}`;
}
