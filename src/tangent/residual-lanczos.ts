import type { Compute, SymmetricOperator } from "../compute/index.ts";
import type { ResidualSpectrum } from "./convergence.ts";
import { KrylovBasis, tridiagonalEigen } from "./krylov-basis.ts";

/** How a residual is spread over a spectrum, from both sides: losses by `low` are at most, those by `high` at least, the true ones. */
export interface ResidualBrackets {
  readonly low: ResidualSpectrum;
  readonly high: ResidualSpectrum;
}

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
    const basis = new KrylovBasis(compute, scope, residual);
    const product = scope.f64(n);
    while (basis.count < limit && !basis.isWhole) {
      operator.apply(basis.next(), product);
      basis.extend(product);
    }
    const { diagonal, off, norm } = basis;
    const low = quadrature(compute, diagonal, off.slice(0, -1), norm);
    if (basis.isWhole) return { low, high: low };
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
  const { values, vectors } = tridiagonalEigen(compute, diagonal, off);
  const largest = values[k - 1];
  return {
    // A node that rounding made negative or tiny is the one at zero.
    values: values.map((value) => (value <= k * Number.EPSILON * largest ? 0 : value)),
    weights: Float64Array.from({ length: k }, (_, i) => (norm * vectors[i]) ** 2),
  };
}
