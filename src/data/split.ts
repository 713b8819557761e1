import { randomStream } from "../base/random.ts";

/** Rows to train and to test on, each ascending. */
export interface Split {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/**
 * Splits rows at random (the stream `split` of the seed) so that every group gives the fraction of its rows, rounded, to
 * the test part, and at least one row to each part.
 *
 * @param groups the rows, grouped by class; a single group is a plain shuffle. Each needs two rows or more.
 */
export function splitRows(groups: readonly Uint32Array[], fraction: number, seed: number): Split {
  const stream = randomStream(seed, "split");
  const train: number[] = [];
  const test: number[] = [];
  for (const group of groups) {
    const n = group.length;
    const held = Math.min(Math.max(Math.round(n * fraction), 1), n - 1);
    stream.permutation(n).forEach((k, position) => {
      (position < held ? test : train).push(group[k]!);
    });
  }
  return { train: Uint32Array.from(train).sort(), test: Uint32Array.from(test).sort() };
}
