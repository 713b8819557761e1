import type { Matrix } from "../../src/base/matrix.ts";

/** Solves A x = b by elimination with pivoting. */
export function solve(A: number[][], b: number[]): number[] {
  const n = b.length;
  const rows = A.map((row, i) => [...row, b[i]!]);
  for (let k = 0; k < n; k++) {
    const pivot = rows.reduce((best, row, i) => (i > k && Math.abs(row[k]!) > Math.abs(rows[best]![k]!) ? i : best), k);
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    for (let i = k + 1; i < n; i++) {
      const factor = rows[i]![k]! / rows[k]![k]!;
      for (let j = k; j <= n; j++) rows[i]![j]! -= factor * rows[k]![j]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = rows[i]![n]!;
    for (let j = i + 1; j < n; j++) sum -= rows[i]![j]! * x[j]!;
    x[i] = sum / rows[i]![i]!;
  }
  return x;
}

/** Dual coefficients and then the constant, from the equations K a + ridge a / w + b = y, 1'a = 0, on the rows `kept`. */
export function naive(
  K: Matrix,
  y: readonly number[],
  kept: readonly number[],
  ridge: number,
  intercept: boolean,
  weights: ArrayLike<number> = y.map(() => 1),
): number[] {
  const A = kept.map((i) => [
    ...kept.map((j) => K.data[i * K.cols + j]! + (i === j ? ridge / weights[i]! : 0)),
    ...(intercept ? [1] : []),
  ]);
  if (intercept) A.push([...kept.map(() => 1), 0]);
  const x = solve(A, [...kept.map((i) => y[i]!), ...(intercept ? [0] : [])]);
  return intercept ? x : [...x, 0];
}
