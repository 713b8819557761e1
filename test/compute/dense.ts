/** Naive dense algebra for the checks of factorizations; nothing here comes from src/. */

/** A B for row-major A (m x k) and B (k x n). */
export function product(m: number, k: number, n: number, a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const factor = a[i * k + p]!;
      for (let j = 0; j < n; j++) c[i * n + j] = c[i * n + j]! + factor * b[p * n + j]!;
    }
  }
  return c;
}

export function transposed(m: number, n: number, a: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: m * n }, (_, at) => a[(at % m) * n + Math.floor(at / m)]!);
}

export function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));
}

/** The rows x cols matrix at the start of each row of `padded`, contiguous. */
export function compact(rows: number, cols: number, padded: Float64Array, distance: number): Float64Array {
  return Float64Array.from({ length: rows * cols }, (_, at) => padded[Math.floor(at / cols) * distance + (at % cols)]!);
}

/** `a` (rows x cols, contiguous) with rows `distance` apart; what lies between them is NaN. */
export function padded(rows: number, cols: number, a: ArrayLike<number>, distance: number): Float64Array {
  const out = new Float64Array(rows * distance).fill(Number.NaN);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[i * distance + j] = a[i * cols + j]!;
  return out;
}

/** Frobenius norm; NaN when an entry is. */
export function frobenius(a: ArrayLike<number>): number {
  return Math.hypot(...Array.from(a).map(Math.abs));
}

/** Largest entry of |Q^T Q - I| for Q m x n. */
export function orthogonalityError(m: number, n: number, q: ArrayLike<number>): number {
  const gram = product(n, m, n, transposed(m, n, q), q);
  return gram.reduce((worst, value, at) => largerOf(worst, value - (at % (n + 1) === 0 ? 1 : 0)), 0);
}

/** max(worst, |value|), infinity for NaN: so that a comparison of the result can fail. */
function largerOf(worst: number, value: number): number {
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : Math.max(worst, Math.abs(value));
}

/** Largest entry of |A - B|; infinity when one is NaN. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((worst, value, at) => largerOf(worst, value - b[at]!), 0);
}

/** Largest |entry|. */
export function largest(a: ArrayLike<number>): number {
  return Array.from(a).reduce(largerOf, 0);
}

/** An n x n orthogonal matrix: the product of the reflections in the rows of `seeds` (count x n). */
export function reflections(n: number, seeds: Float64Array): Float64Array {
  const q = identity(n);
  for (let at = 0; at < seeds.length; at += n) {
    const v = seeds.subarray(at, at + n);
    const square = v.reduce((sum, value) => sum + value * value, 0);
    for (let i = 0; i < n; i++) {
      let inner = 0;
      for (let j = 0; j < n; j++) inner += q[i * n + j]! * v[j]!;
      for (let j = 0; j < n; j++) q[i * n + j] = q[i * n + j]! - ((2 * inner) / square) * v[j]!;
    }
  }
  return q;
}
