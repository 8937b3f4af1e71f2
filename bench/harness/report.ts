import type { Judged } from './verdict.js';

/** What `--json` writes: one run of the bench on one Node version. */
export interface Report {
  readonly node: string;
  readonly cpu: string;
  readonly date: string;
  readonly rows: readonly RowReport[];
}

export interface RowReport {
  readonly id: string;
  readonly title: string;
  readonly figures: readonly Judged[];
}
