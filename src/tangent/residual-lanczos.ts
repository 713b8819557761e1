import type { Compute, SymmetricOperator } from "../compute/index.ts";
import type { ResidualSpectrum } from "./convergence.ts";

/** How a residual is spread over a spectrum, from both sides: losses by `low` are at most, those by `high` at least, the true ones. */
export interface ResidualBrackets {
  readonly low: ResidualSpectrum;
  readonly high: ResidualSpectrum;
}

/** A residual of which so little is left is in the space of the basis. */
const EXHAUSTED = 1e-14;

/**
 * The spectrum of a residual r (n numbers, not zero) of a positive semidefinite operator, by products with it alone: the Lanczos method from
 * r, as Gauss quadrature and as Gauss-Radau quadrature with a node at 0. The derivatives of what is left of the loss alternate in
 * sign, so that the two bracket it at every time.
 *
 * Source: Golub and Meurant, Matrices, moments and quadrature (1994), sections 3 and 4.
 *
 * @param steps products at most; exact when they are as many as the operator's size.
 */
export function lanczosResidual(
  compute: Compute,
  operator: SymmetricOperator,
  residual: Float64Array,
  steps: number,
): ResidualBrackets {
  const n = operator.size;
  if (residual.length !== n) throw new RangeError(`a residual of ${residual.length} numbers for size ${n}`);
  return compute.scope((scope) => {
    const limit = Math.min(steps, n);
    const basis = scope.f64(limit * n);
    const next = scope.copy(residual);
    const coefficients = scope.f64(limit);
    const norm = compute.norm2(n, next);
    if (!(norm > 0 && Number.isFinite(norm))) throw new RangeError(`a residual of size ${norm} has no spectrum`);
    const diagonal: number[] = [];
    const off: number[] = [];
    let length = norm;
    let size = 0;
    let isWhole = false;
    for (let k = 0; k < limit && !isWhole; k++) {
      for (let i = 0; i < n; i++) basis[k * n + i] = next[i] / length;
      const v = basis.subarray(k * n, (k + 1) * n);
      operator.apply(v, next);
      size = Math.max(size, compute.norm2(n, next));
      diagonal.push(compute.dot(n, v, next));
      // Twice is enough.
      for (let pass = 0; pass < 2; pass++) {
        compute.gemv(false, k + 1, n, 1, basis, n, next, 0, coefficients);
        compute.gemv(true, k + 1, n, -1, basis, n, coefficients, 1, next);
      }
      length = compute.norm2(n, next);
      isWhole = k + 1 === n || length <= EXHAUSTED * size * n;
      if (!isWhole) off.push(length);
    }
    const low = quadrature(compute, diagonal, off.slice(0, diagonal.length - 1), norm);
    if (isWhole) return { low, high: low };
    const closing = radauEntry(diagonal, off);
    return { low, high: quadrature(compute, [...diagonal, closing], off, norm) };
  });
}

/** The last diagonal entry with which the extended matrix has the eigenvalue 0: b^2 times the last entry of T^-1. */
function radauEntry(diagonal: readonly number[], off: readonly number[]): number {
  // The last pivot of T's factorization is the inverse of that entry.
  let pivot = diagonal[0]!;
  for (let k = 1; k < diagonal.length; k++) pivot = diagonal[k]! - off[k - 1]! ** 2 / pivot;
  return off.at(-1)! ** 2 / pivot;
}

/** Nodes and weights of a tridiagonal matrix: its eigenvalues, and the squared first entries of its eigenvectors. */
function quadrature(
  compute: Compute,
  diagonal: readonly number[],
  off: readonly number[],
  norm: number,
): ResidualSpectrum {
  const k = diagonal.length;
  return compute.scope((scope) => {
    const a = scope.f64(k * k);
    diagonal.forEach((value, i) => {
      a[i * (k + 1)] = value;
    });
    off.forEach((value, i) => {
      a[i * k + i + 1] = value;
      a[(i + 1) * k + i] = value;
    });
    const nodes = scope.f64(k);
    compute.symmetricEigen(k, a, k, nodes);
    const largest = nodes[k - 1]!;
    return {
      // A node that rounding made negative or tiny is the one at zero.
      values: Float64Array.from(nodes, (value) => (value <= k * Number.EPSILON * largest ? 0 : value)),
      weights: Float64Array.from({ length: k }, (_, i) => (norm * a[i]!) ** 2),
    };
  });
}
