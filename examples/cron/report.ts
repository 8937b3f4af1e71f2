import { appendFile } from 'node:fs/promises';
import type { Run } from 'runfence';

export const PARTS = 5;
const PART_MS = 60;

/** A line of the report. A reader skips one whose token is below that of a line before it. */
export interface Part {
  readonly name: string;
  readonly generation: number;
  readonly token: number;
  readonly part: number;
}

/** The job: writes a report in parts, each as long as it is allowed to. */
export async function report(run: Run, name: string, log: string): Promise<void> {
  for (let part = 1; part <= PARTS; part++) {
    await new Promise((done) => setTimeout(done, PART_MS));
    await run.commit(async ({ token }) => {
      const line: Part = { name, generation: run.generation, token, part };
      await appendFile(log, `${JSON.stringify(line)}\n`);
    });
  }
}
