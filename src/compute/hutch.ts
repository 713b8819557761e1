import type { RandomStream } from "../base/random.ts";
import type { SymmetricOperator } from "./operator.ts";
import type { Arithmetic } from "./reflectors.ts";
import { RowBasis } from "./row-basis.ts";

/** An estimate of a trace. */
export interface TraceEstimate {
  readonly trace: number;
  /** Standard error of the random part; 0 when the trace is exact up to rounding, NaN with a single probe. */
  readonly standardError: number;
  /** Products with the operator. */
  readonly products: number;
}

/**
 * Hutch++: the trace of a symmetric operator from about `products` products with it. A third of them finds a subspace
 * with most of the operator, a third its trace there, exactly, and a third estimates the rest from random signs
 * (Hutchinson); for positive semidefinite operators the error is O(1 / products).
 *
 * Source: Meyer, Musco, Musco and Woodruff, arXiv:2010.09649, algorithm 1.
 *
 * @throws RangeError for fewer than 3 products.
 */
export function hutchTrace(
  arithmetic: Arithmetic,
  operator: SymmetricOperator,
  products: number,
  random: RandomStream,
): TraceEstimate {
  if (!Number.isSafeInteger(products) || products < 3) {
    throw new RangeError(`hutchTrace needs at least 3 products, got ${products}`);
  }
  const n = operator.size;
  const third = Math.min(n, Math.floor(products / 3));
  return arithmetic.scope((scope) => {
    const allocate = (length: number): Float64Array => scope.f64(length);
    const [x, image] = [allocate(n), allocate(n)];
    const signs = (): void => {
      for (let i = 0; i < n; i++) x[i] = random.bits() & 1 ? 1 : -1;
    };
    let used = 0;
    const apply = (vector: Float64Array): void => {
      operator.apply(vector, image);
      used += 1;
    };
    const basis = new RowBasis(arithmetic, n, third, allocate);
    for (let k = 0; k < third; k++) {
      signs();
      apply(x);
      const size = arithmetic.norm2(n, image);
      const norm = basis.reduce(image);
      // What the basis has already is left out: of an operator of low rank, everything after its rank.
      if (norm > 1e-10 * size) basis.append(image, norm);
    }
    let exact = 0;
    for (let k = 0; k < basis.count; k++) {
      apply(basis.row(k));
      exact += arithmetic.dot(n, basis.row(k), image);
    }
    if (basis.count === n) return { trace: exact, standardError: 0, products: used };
    const samples: number[] = [];
    for (let k = 0; k < third; k++) {
      signs();
      basis.reduce(x);
      apply(x);
      samples.push(arithmetic.dot(n, x, image));
    }
    const mean = samples.reduce((sum, value) => sum + value, 0) / Math.max(1, samples.length);
    const square = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const standardError = samples.length < 2 ? Number.NaN : Math.sqrt(square / (samples.length - 1) / samples.length);
    return { trace: exact + mean, standardError, products: used };
  });
}
