import { patternWords } from "../../compute/types.ts";

/** An activation pattern D of n rows, bit-packed: bit (i mod 32) of word floor(i / 32) is D(i). */
export type Pattern = Uint32Array;

/** Whether row i is active. */
export function isActive(pattern: Pattern, i: number): boolean {
  return ((pattern[i >>> 5] >>> (i & 31)) & 1) === 1;
}

/** The pattern whose active rows are those with z_i > 0. */
export function patternOf(z: ArrayLike<number>): Pattern {
  const pattern = new Uint32Array(patternWords(z.length));
  for (let i = 0; i < z.length; i++) if (z[i] > 0) pattern[i >>> 5] |= 1 << (i & 31);
  return pattern;
}

/** A string that is equal for equal patterns (of the same n) and different otherwise. */
export function patternKey(pattern: Pattern): string {
  let key = "";
  for (const word of pattern) key += String.fromCharCode(word & 0xffff, word >>> 16);
  return key;
}
