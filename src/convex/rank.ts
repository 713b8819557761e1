import { type Matrix, matrix } from "../base/matrix.ts";

/** A row counts as dependent when its distance from the span of the others is below this part of the largest row. */
const RANK_TOLERANCE = 1e-10;

/**
 * An orthonormal basis of the row space of X (n x d), as the columns of a d x r matrix, r the numerical rank.
 * Pivoted Gram-Schmidt, each vector orthogonalized twice; the first 4 d rows are tried first, so that tall matrices of
 * full rank cost O(d^3).
 */
export function rowSpaceBasis(X: Matrix): Matrix {
  const { rows: n, cols: d } = X;
  const basis: Float64Array[] = [];
  let largest = 0;
  const residual = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) residual[i] += X.data[i * d + k] ** 2;
    largest = Math.max(largest, residual[i]);
  }
  const extend = (count: number): void => {
    while (basis.length < d) {
      let pivot = 0;
      for (let i = 1; i < count; i++) if (residual[i] > residual[pivot]) pivot = i;
      if (count === 0 || !(residual[pivot] > 0)) return;
      const q = X.data.slice(pivot * d, (pivot + 1) * d);
      for (let pass = 0; pass < 2; pass++) for (const e of basis) subtractProjection(q, e);
      const norm = Math.hypot(...q);
      residual[pivot] = 0;
      if (norm <= RANK_TOLERANCE * Math.sqrt(largest)) continue;
      for (let k = 0; k < d; k++) q[k] /= norm;
      basis.push(q);
      for (let i = 0; i < n; i++) {
        if (residual[i] === 0) continue;
        let dot = 0;
        for (let k = 0; k < d; k++) dot += X.data[i * d + k] * q[k];
        residual[i] = Math.max(0, residual[i] - dot * dot);
      }
    }
  };
  extend(Math.min(n, 4 * d));
  extend(n);
  const out = matrix(d, basis.length);
  basis.forEach((e, r) => {
    for (let k = 0; k < d; k++) out.data[k * basis.length + r] = e[k];
  });
  return out;
}

function subtractProjection(q: Float64Array, e: Float64Array): void {
  let dot = 0;
  for (let k = 0; k < q.length; k++) dot += q[k] * e[k];
  for (let k = 0; k < q.length; k++) q[k] -= dot * e[k];
}
