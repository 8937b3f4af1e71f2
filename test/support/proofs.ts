/** `npm run proofs` makes the long proofs in full length. A plain `npm test` makes a short version of each. */
export const isWhole = process.env.PROOFS === 'whole' || process.env.PROOFS === 'long';
/** Also a stop at every single point, and what mostly waits on the second client of a backend: `npm run long`. */
export const isLong = process.env.PROOFS === 'long';

/** How often something random is tried: so often in a plain `npm test`, and so often by `npm run proofs`. */
export function times(short: number, whole: number): number {
  return isWhole ? whole : short;
}
