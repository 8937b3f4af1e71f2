import { run } from './processes.js';

export interface DemoVerdict {
  readonly isAsExpected: boolean;
  readonly says: string;
}

const TIME_LIMIT_MS = 120_000;
/** The check of the demo that looks at what a tool says after its run was stopped. */
const ABOUT_THE_FENCE = /the tool really ran on \(\d+ lines of progress after the stop, [1-9]\d* shown\)/;

/** The demo of a copy whose fence lets everything through: it must end with 1, and because of that. */
export async function runUnfencedDemo(copy: string, signal: AbortSignal): Promise<DemoVerdict> {
  const { code, output } = await run(['npm', 'run', 'demo'], { cwd: copy, timeoutMs: TIME_LIMIT_MS, signal });
  const broken = output.split('did not hold:\n')[1];
  const isAsExpected = code === 1 && broken !== undefined && ABOUT_THE_FENCE.test(broken);
  return { isAsExpected, says: `exit ${code}\n${(broken ?? output.slice(-2_000)).trimEnd()}` };
}
