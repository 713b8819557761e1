import type { RandomStream } from "../base/random.ts";
import { symmetricEigen } from "./eigen.ts";
import type { SymmetricOperator } from "./operator.ts";
import type { Arithmetic } from "./reflectors.ts";
import { RowBasis } from "./row-basis.ts";

/** A discrete measure near the eigenvalue distribution of an operator: weights, which sum to 1, at values (ascending). */
export interface SpectralDensity {
  readonly values: Float64Array;
  readonly weights: Float64Array;
  /** Products with the operator. */
  readonly products: number;
}

/**
 * Stochastic Lanczos quadrature: for each of `probes` random unit vectors v, `steps` Lanczos steps (with full
 * reorthogonalization) give the Gauss quadrature of the measure of v, whose moments are those of v up to 2 steps - 1; the
 * mean over v is the distribution of eigenvalues.
 *
 * Source: Ubaru, Chen and Saad, SIAM J. Matrix Anal. Appl. 38 (2017); for Hessians: Ghorbani, Krishnan and Xiao,
 * arXiv:1901.10159.
 *
 * @throws RangeError for counts that are not positive integers; Error when the operator gives a vector that is not finite.
 */
export function spectralDensity(
  arithmetic: Arithmetic,
  operator: SymmetricOperator,
  { probes, steps }: { readonly probes: number; readonly steps: number },
  random: RandomStream,
): SpectralDensity {
  for (const [name, count] of Object.entries({ probes, steps })) {
    if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${name} must be a positive integer: ${count}`);
  }
  const n = operator.size;
  const points: [value: number, weight: number][] = [];
  let products = 0;
  for (let probe = 0; probe < probes && n > 0; probe++) {
    arithmetic.scope((scope) => {
      const limit = Math.min(steps, n);
      const basis = new RowBasis(arithmetic, n, limit, (length) => scope.f64(length));
      const next = scope.f64(n);
      for (let i = 0; i < n; i++) next[i] = random.normal();
      let beta = arithmetic.norm2(n, next);
      const diagonal: number[] = [];
      const off: number[] = [];
      let size = 0;
      while (basis.count < limit && beta > n * Number.EPSILON * size) {
        if (basis.count > 0) off.push(beta);
        basis.append(next, beta);
        const v = basis.row(basis.count - 1);
        operator.apply(v, next);
        products += 1;
        const alpha = arithmetic.dot(n, v, next);
        if (!Number.isFinite(alpha)) throw new Error("spectralDensity: the operator gave a vector that is not finite");
        diagonal.push(alpha);
        size = Math.max(size, arithmetic.norm2(n, next));
        beta = basis.reduce(next);
      }
      const order = diagonal.length;
      const vectors = new Float64Array(order * order);
      for (let i = 0; i < order; i++) {
        vectors[i * order + i] = diagonal[i]!;
        if (i + 1 < order) {
          vectors[i * order + i + 1] = off[i]!;
          vectors[(i + 1) * order + i] = off[i]!;
        }
      }
      const values = new Float64Array(order);
      symmetricEigen(order, vectors, order, values);
      for (let k = 0; k < order; k++) points.push([values[k], vectors[k] ** 2 / probes]);
    });
  }
  points.sort(([a], [b]) => a - b);
  return {
    values: Float64Array.from(points, ([value]) => value),
    weights: Float64Array.from(points, ([, weight]) => weight),
    products,
  };
}

/** The measure smoothed by Gaussians of a standard deviation, at each of `places`: a density with respect to the value. */
export function smoothedDensity(density: SpectralDensity, places: ArrayLike<number>, deviation: number): Float64Array {
  if (!(deviation > 0)) throw new RangeError(`the standard deviation must be positive, got ${deviation}`);
  const factor = 1 / (deviation * Math.sqrt(2 * Math.PI));
  return Float64Array.from({ length: places.length }, (_, i) => {
    let sum = 0;
    density.values.forEach((value, k) => {
      sum += density.weights[k] * Math.exp(-0.5 * ((places[i]! - value) / deviation) ** 2);
    });
    return factor * sum;
  });
}
