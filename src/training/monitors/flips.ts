import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/index.ts";
import { spectralNorm } from "./weights.ts";

/** Fraction of neurons that the worst change of weights of spectral norm `radius` flips in the limit of infinite width. */
export function adversarialFlipLaw(radius: number): number {
  return Math.cbrt((3 * radius * radius) / Math.PI);
}

/** The same for a Gaussian change of that spectral norm. */
export function randomFlipLaw(radius: number): number {
  return Math.atan(radius / (2 * Math.SQRT2)) / Math.PI;
}

/**
 * Fraction of neurons with pre-activations g = W h that a change of W of spectral norm `radius` can flip: the rank-one
 * -g_S h' / ||h||^2 flips a set S of smallest |g| as long as ||g_S|| <= radius ||h||, and nothing flips more.
 */
export function adversarialFlips(g: Float64Array, inputNorm: number, radius: number): number {
  const squares = g.map((value) => value * value).sort();
  const limit = (radius * inputNorm) ** 2;
  let sum = 0;
  let flipped = 0;
  while (flipped < squares.length) {
    sum += squares[flipped];
    if (!(sum <= limit)) break;
    flipped += 1;
  }
  return flipped / Math.max(1, g.length);
}

/**
 * Fractions of neurons that Gaussian changes of spectral norm `radius` flip, for pre-activations G (n x rows) of inputs
 * H (n x cols): one draw of the change for all n.
 */
export function randomFlips(
  compute: Compute,
  n: number,
  rows: number,
  cols: number,
  G: Float64Array,
  H: Float64Array,
  radius: number,
  random: RandomStream,
): number[] {
  return compute.scope((scope) => {
    const change = scope.f64(rows * cols);
    for (let k = 0; k < change.length; k++) change[k] = random.normal();
    const factor = radius / spectralNorm(compute, rows, cols, change);
    const moved = scope.f64(n * rows);
    compute.gemm(false, true, n, rows, cols, factor, H, cols, change, cols, 0, moved, rows);
    return Array.from({ length: n }, (_, i) => {
      let flipped = 0;
      for (let k = i * rows; k < (i + 1) * rows; k++) if (G[k] > 0 !== G[k] + moved[k] > 0) flipped += 1;
      return flipped / rows;
    });
  });
}
