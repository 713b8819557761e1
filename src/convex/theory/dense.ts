import { type Matrix, matrix } from "../../base/matrix.ts";

/** The lower Cholesky factor of a symmetric matrix (both triangles stored), or null unless every pivot exceeds `floor`. */
export function choleskyFactor(A: Matrix, floor = 0): Matrix | null {
  const m = A.rows;
  const L = matrix(m, m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = A.data[i * m + j];
      for (let q = 0; q < j; q++) sum -= L.data[i * m + q] * L.data[j * m + q];
      if (i === j) {
        if (!(sum > floor)) return null;
        L.data[i * m + i] = Math.sqrt(sum);
      } else L.data[i * m + j] = sum / L.data[j * m + j];
    }
  }
  return L;
}

/** x with L L'x = b. */
export function solveFactored(L: Matrix, b: Float64Array): Float64Array {
  const m = L.rows;
  const x = b.slice();
  for (let i = 0; i < m; i++) {
    for (let q = 0; q < i; q++) x[i] -= L.data[i * m + q] * x[q];
    x[i] /= L.data[i * m + i];
  }
  for (let i = m - 1; i >= 0; i--) {
    for (let q = i + 1; q < m; q++) x[i] -= L.data[q * m + i] * x[q];
    x[i] /= L.data[i * m + i];
  }
  return x;
}

/** (L L')^-1. */
export function inverseOfFactored(L: Matrix): Matrix {
  const m = L.rows;
  const out = matrix(m, m);
  const e = new Float64Array(m);
  for (let j = 0; j < m; j++) {
    e.fill(0);
    e[j] = 1;
    const x = solveFactored(L, e);
    for (let i = 0; i < m; i++) out.data[i * m + j] = x[i];
  }
  return out;
}

/** A A' of the rows of A. */
export function gramOfRows(A: Matrix): Matrix {
  const { rows: m, cols: d } = A;
  const G = matrix(m, m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += A.data[i * d + k] * A.data[j * d + k];
      G.data[i * m + j] = sum;
      G.data[j * m + i] = sum;
    }
  }
  return G;
}

/** A x. */
export function timesVector(A: Matrix, x: Float64Array): Float64Array {
  const { rows: m, cols: d } = A;
  const out = new Float64Array(m);
  for (let i = 0; i < m; i++) for (let k = 0; k < d; k++) out[i] += A.data[i * d + k] * x[k];
  return out;
}

/** A'x. */
export function transposeTimes(A: Matrix, x: Float64Array): Float64Array {
  const { rows: m, cols: d } = A;
  const out = new Float64Array(d);
  for (let i = 0; i < m; i++) if (x[i] !== 0) for (let k = 0; k < d; k++) out[k] += A.data[i * d + k] * x[i];
  return out;
}

export function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
