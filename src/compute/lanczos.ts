import type { RandomStream } from "../base/random.ts";
import { symmetricEigen } from "./eigen.ts";
import type { SymmetricOperator } from "./operator.ts";
import type { Arithmetic } from "./reflectors.ts";

export interface LanczosOptions {
  /** Which end of the spectrum; default `largest`. */
  readonly end?: "largest" | "smallest";
  /** Converged when every residual is at most `tolerance` times the norm of A (estimated); default 1e-10. */
  readonly tolerance?: number;
  /** Most products with A, and so most vectors kept; default: 20 a pair, at least 300, at most the size. */
  readonly maxSteps?: number;
}

export interface LanczosResult {
  readonly converged: boolean;
  /** Products with A used for the basis. */
  readonly steps: number;
  /** From the chosen end of the spectrum inwards. */
  readonly values: Float64Array;
  /** Row i (`size` entries) is the unit eigenvector of value i; rows are orthonormal. */
  readonly vectors: Float64Array;
  /** ||A v - value v|| of each pair, computed from the vector: A has an eigenvalue within this distance. */
  readonly residuals: Float64Array;
}

/** Steps between two looks at the projected matrix grow by this part, so that looking stays a small part of the work. */
const GROWTH = 0.2;

/**
 * The `count` extreme eigenpairs of a symmetric operator by the Lanczos method with full reorthogonalization, started from
 * `random` (equal streams give equal results). Where the basis spans an invariant subspace before there are `count` pairs,
 * it goes on with a new random vector. A multiple eigenvalue may be found once only, as in every single-vector method.
 *
 * Source: Golub and Van Loan, Matrix Computations, 4th ed., chapter 10; residuals by Parlett, The Symmetric Eigenvalue
 * Problem, section 13.2.
 *
 * @throws RangeError for a count outside 0 .. size or too few steps for it; Error when A gives a vector that is not finite.
 */
export function lanczos(
  arithmetic: Arithmetic,
  operator: SymmetricOperator,
  count: number,
  random: RandomStream,
  options: LanczosOptions = {},
): LanczosResult {
  const n = operator.size;
  if (!Number.isSafeInteger(count) || count < 0 || count > n) {
    throw new RangeError(`lanczos: cannot find ${count} eigenpairs of an operator of size ${n}`);
  }
  const { end = "largest", tolerance = 1e-10, maxSteps = Math.min(n, Math.max(20 * count, 300)) } = options;
  if (!(tolerance >= 0)) throw new RangeError(`lanczos: tolerance must be non-negative, got ${tolerance}`);
  if (!Number.isSafeInteger(maxSteps) || maxSteps < count) {
    throw new RangeError(`lanczos: ${count} eigenpairs need at least as many steps, got maxSteps ${maxSteps}`);
  }
  const limit = Math.min(maxSteps, n);

  return arithmetic.scope((scope) => {
    const basis = scope.f64(limit * n);
    const coefficients = scope.f64(limit);
    const next = scope.f64(n);
    const diagonal: number[] = [];
    const off: number[] = [];
    let size = 0;

    /** `next` without its part in the first `rows` basis vectors; returns the norm that is left. */
    const orthogonalize = (rows: number): number => {
      // Once is not enough where most of the vector goes; twice is.
      for (let pass = 0; pass < 2; pass++) {
        arithmetic.gemv(false, rows, n, 1, basis, n, next, 0, coefficients);
        arithmetic.gemv(true, rows, n, -1, basis, n, coefficients, 1, next);
      }
      return arithmetic.norm2(n, next);
    };
    const append = (row: number, norm: number): void => {
      for (let i = 0; i < n; i++) basis[row * n + i] = next[i]! / norm;
    };
    const appendRandom = (row: number): void => {
      for (let norm = 0; !(norm > 1e-3); ) {
        for (let i = 0; i < n; i++) next[i] = random.normal();
        norm = orthogonalize(row);
        if (norm > 1e-3) append(row, norm);
      }
    };
    /** Eigenvectors (columns) and values of the projected matrix of order `order`. */
    const project = (order: number): { vectors: Float64Array; values: Float64Array } => {
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
      return { vectors, values };
    };
    /** Column of the i-th pair from the chosen end. */
    const column = (order: number, i: number): number => (end === "largest" ? order - 1 - i : i);

    let steps = 0;
    let converged = count === 0;
    let look = count;
    let projection = project(0);
    while (steps < limit && !converged) {
      // 1. One step: A v_j = beta_{j-1} v_{j-1} + alpha_j v_j + beta_j v_{j+1}.
      const j = steps;
      if (j === 0) appendRandom(0);
      const v = basis.subarray(j * n, (j + 1) * n);
      operator.apply(v, next);
      const alpha = arithmetic.dot(n, v, next);
      if (!Number.isFinite(alpha)) throw new Error("lanczos: the operator gave a vector that is not finite");
      diagonal.push(alpha);
      steps += 1;
      size = Math.max(size, arithmetic.norm2(n, next));
      let beta = orthogonalize(steps);
      if (beta <= n * Number.EPSILON * size) beta = 0;
      // 2. Now and then: eigenpairs of the projected matrix, whose residuals are |beta_j| times a last entry.
      if (steps >= look || steps === limit || beta === 0) {
        look = Math.max(steps + 1, Math.ceil(steps * (1 + GROWTH)));
        if (steps >= count) {
          projection = project(steps);
          const { vectors } = projection;
          converged = true;
          for (let i = 0; i < count; i++) {
            const last = vectors[(steps - 1) * steps + column(steps, i)]!;
            if (!(Math.abs(beta * last) <= tolerance * size)) converged = false;
          }
        }
      }
      // 3. The next basis vector.
      if (steps < limit && !converged) {
        off.push(beta);
        if (beta === 0) appendRandom(steps);
        else append(steps, beta);
      }
    }

    // 4. Vectors of the pairs, and their residuals.
    const values = new Float64Array(count);
    const chosen = scope.f64(count * steps);
    for (let i = 0; i < count; i++) {
      const from = column(steps, i);
      values[i] = projection.values[from]!;
      for (let k = 0; k < steps; k++) chosen[i * steps + k] = projection.vectors[k * steps + from]!;
    }
    const vectors = scope.f64(count * n);
    arithmetic.gemm(false, false, count, n, steps, 1, chosen, steps, basis, n, 0, vectors, n);
    const residuals = Float64Array.from({ length: count }, (_, i) => {
      const vector = vectors.subarray(i * n, (i + 1) * n);
      operator.apply(vector, next);
      arithmetic.axpy(n, -values[i]!, vector, next);
      return arithmetic.norm2(n, next);
    });
    return Object.freeze({ converged, steps, values, vectors: vectors.slice(), residuals });
  });
}
