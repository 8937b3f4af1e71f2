/** One defect: edits of one file, each of a text that is there exactly once. */
export interface Mutant {
  readonly name: string;
  /**
   * The file of tests that is known to fail of it. Of a defect of the core that it does not
   * show any more, all other tests of the core are tried.
   */
  readonly shownBy: string;
  readonly file: string;
  readonly edits: readonly (readonly [find: string, replace: string])[];
}
