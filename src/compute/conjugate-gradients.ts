import type { SymmetricOperator } from "./operator.ts";
import type { Arithmetic } from "./reflectors.ts";
import { requireMatrix } from "./shapes.ts";

/**
 * How conjugate gradients ended. `stagnated`: rounding errors keep the true residual above the tolerance.
 * `not-positive-definite`: a direction of no positive curvature was met. `not-finite`: a NaN or an infinity was met.
 */
export type ConjugateGradientsStatus =
  | "converged"
  | "iteration-limit"
  | "stagnated"
  | "not-positive-definite"
  | "not-finite";

export interface ConjugateGradientsResult {
  readonly status: ConjugateGradientsStatus;
  readonly converged: boolean;
  /** Products with A in the recurrence; each restart costs one more. */
  readonly iterations: number;
  /** ||b - A x|| / ||b|| of the x returned, computed from x itself; 0 when b = 0. */
  readonly residual: number;
  /** The same after 0, 1, ... iterations, as the recurrence has it. */
  readonly history: readonly number[];
}

export interface ConjugateGradientsOptions {
  /** Converged when ||b - A x|| <= tolerance ||b||. */
  readonly tolerance?: number;
  /** Default: 10 times the size. */
  readonly maxIterations?: number;
  /** out <- M^{-1} r for a symmetric positive definite M near A; default: the operator's diagonal where it has one. */
  readonly preconditioner?: (r: Float64Array, out: Float64Array) => void;
}

/** M^{-1} of the diagonal of A; rows of zeros are left alone. Null when an entry is negative or NaN: A is not semidefinite. */
function diagonalPreconditioner(diagonal: ArrayLike<number>): ((r: Float64Array, out: Float64Array) => void) | null {
  const inverse = Float64Array.from(diagonal, (entry) => (entry === 0 ? 1 : 1 / entry));
  if (!inverse.every((entry) => entry >= 0)) return null;
  return (r, out) => {
    for (let i = 0; i < r.length; i++) out[i] = inverse[i]! * r[i]!;
  };
}

/**
 * Solves A x = b for a symmetric positive definite operator, starting from `x`, which it overwrites; `b` and `x` are arrays
 * of `arithmetic`. When the recurrence says converged, the residual is computed anew and the method restarts if that is
 * larger. Never throws for a matrix that is not positive definite: the status says so, and `x` is the last iterate.
 *
 * Source: Golub and Van Loan, Matrix Computations, 4th ed., algorithm 11.5.1.
 */
export function conjugateGradients(
  arithmetic: Arithmetic,
  operator: SymmetricOperator,
  b: Float64Array,
  x: Float64Array,
  options: ConjugateGradientsOptions = {},
): ConjugateGradientsResult {
  const n = operator.size;
  const { tolerance = 1e-10, maxIterations = 10 * n } = options;
  requireMatrix("conjugateGradients", "b", 1, n, b, n);
  requireMatrix("conjugateGradients", "x", 1, n, x, n);
  if (!(tolerance >= 0)) throw new RangeError(`conjugateGradients: tolerance must be non-negative, got ${tolerance}`);
  if (!Number.isSafeInteger(maxIterations) || maxIterations < 0) {
    throw new RangeError(`conjugateGradients: maxIterations must be a non-negative integer, got ${maxIterations}`);
  }
  if (operator.diagonal !== undefined) requireMatrix("conjugateGradients", "the diagonal", 1, n, operator.diagonal, n);
  const fromDiagonal = operator.diagonal && diagonalPreconditioner(operator.diagonal);
  const precondition =
    options.preconditioner ?? fromDiagonal ?? ((r: Float64Array, out: Float64Array): void => out.set(r));

  return arithmetic.scope((scope) => {
    const [r, z, p, product] = [scope.f64(n), scope.f64(n), scope.f64(n), scope.f64(n)];
    const scale = arithmetic.norm2(n, b);
    const history: number[] = [];
    let iterations = 0;

    /** r <- b - A x; its norm beside that of b. */
    const trueResidual = (): number => {
      operator.apply(x, product);
      r.set(b.subarray(0, n));
      arithmetic.axpy(n, -1, product, r);
      return scale === 0 ? 0 : arithmetic.norm2(n, r) / scale;
    };
    const finish = (status: ConjugateGradientsStatus): ConjugateGradientsResult =>
      Object.freeze({
        status,
        converged: status === "converged",
        iterations,
        residual: trueResidual(),
        history: Object.freeze(history),
      });

    if (scale === 0) {
      x.fill(0, 0, n);
      history.push(0);
      return finish("converged");
    }
    let before = Number.POSITIVE_INFINITY;
    for (;;) {
      // 1. (Re)start from the residual of x itself.
      let residual = trueResidual();
      if (history.length === 0) history.push(residual);
      if (!Number.isFinite(residual)) return finish("not-finite");
      if (residual <= tolerance) return finish("converged");
      if (residual > 0.5 * before) return finish("stagnated");
      if (fromDiagonal === null) return finish("not-positive-definite");
      before = residual;
      let energy = 0;
      while (residual > tolerance) {
        if (iterations === maxIterations) return finish("iteration-limit");
        // 2. The next direction, conjugate to the last.
        precondition(r, z);
        const next = arithmetic.dot(n, r, z);
        if (!(next > 0)) return finish(Number.isFinite(next) ? "not-positive-definite" : "not-finite");
        if (energy === 0) p.set(z);
        else {
          const beta = next / energy;
          for (let i = 0; i < n; i++) p[i] = z[i]! + beta * p[i]!;
        }
        energy = next;
        // 3. The minimum along it.
        operator.apply(p, product);
        const curvature = arithmetic.dot(n, p, product);
        if (!(curvature > 0)) return finish(Number.isFinite(curvature) ? "not-positive-definite" : "not-finite");
        const step = energy / curvature;
        if (!Number.isFinite(step)) return finish("not-finite");
        arithmetic.axpy(n, step, p, x);
        arithmetic.axpy(n, -step, product, r);
        iterations += 1;
        residual = arithmetic.norm2(n, r) / scale;
        history.push(residual);
      }
    }
  });
}
