/** One defect: edits of one file, each of a text that is there exactly once. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly edits: readonly (readonly [find: string, replace: string])[];
}
