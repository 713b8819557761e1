import { type Matrix, matrix } from "../base/matrix.ts";
import { type Compute, outsideMatrix } from "../compute/index.ts";

/** A kernel matrix in a few numbers. */
export interface KernelSummary {
  /** tr K. */
  readonly trace: number;
  /** (tr K)^2 / ||K||_F^2, between 1 and the rank: the number of eigenvalues that count when all that count are equal. */
  readonly effectiveDimension: number;
  /** <K, Y Y'>_F / (||K||_F ||Y Y'||_F), of one target y'Ky / (||K||_F |y|^2); null without targets, or when they are zero. */
  readonly alignment: number | null;
}

/** Entries of the panels in which a matrix is read. */
const PANEL_ENTRIES = 1 << 22;

/**
 * Trace, effective dimension and alignment with targets Y (n x c, to be centered by the caller) of the symmetric n x n matrix whose
 * rows `from` .. `from + count` are `readRows(from, count)`, in one pass.
 *
 * Source: Cristianini et al., On kernel-target alignment (2001).
 */
export function summarizeKernel(
  compute: Compute,
  n: number,
  readRows: (from: number, count: number) => Float64Array,
  Y: Matrix | null,
): KernelSummary {
  const panel = Math.max(1, Math.floor(PANEL_ENTRIES / Math.max(1, n)));
  let [trace, largest, squares, inner] = [0, 0, 0, 0];
  for (let from = 0; from < n; from += panel) {
    const rows = readRows(from, Math.min(panel, n - from));
    const count = rows.length / n;
    // Squares are summed as shares of the largest entry so far, so that no scale overflows.
    let most = largest;
    for (let k = 0; k < rows.length; k++) most = Math.max(most, Math.abs(rows[k]!));
    if (most > largest) {
      squares *= largest === 0 ? 0 : (largest / most) ** 2;
      largest = most;
    }
    if (largest > 0) for (let k = 0; k < rows.length; k++) squares += (rows[k]! / largest) ** 2;
    for (let i = 0; i < count; i++) trace += rows[i * n + from + i]!;
    if (Y === null) continue;
    const product = matrix(count, Y.cols);
    outsideMatrix(compute, count, n, rows).gemm(false, Y.cols, 1, Y.data, 0, product.data);
    for (let k = 0; k < product.data.length; k++) inner += product.data[k] * Y.data[from * Y.cols + k];
  }
  return summaryOf(compute, { trace, norm: largest * Math.sqrt(squares), inner }, Y);
}

/** The summary of a matrix K with these sums: tr K, ||K||_F, and `inner` = tr Y'K Y. */
export function summaryOf(
  compute: Compute,
  { trace, norm, inner }: { readonly trace: number; readonly norm: number; readonly inner: number },
  Y: Matrix | null,
): KernelSummary {
  const targets = Y === null ? 0 : gramNorm(compute, Y);
  return {
    trace,
    effectiveDimension: norm === 0 ? 0 : (trace / norm) ** 2,
    alignment: norm === 0 || targets === 0 ? null : inner / norm / targets,
  };
}

/** ||Y Y'||_F = ||Y' Y||_F. */
function gramNorm(compute: Compute, { rows, cols, data }: Matrix): number {
  const gram = new Float64Array(cols * cols);
  outsideMatrix(compute, rows, cols, data).gram(gram);
  return Math.sqrt(gram.reduce((sum, value) => sum + value * value, 0));
}

/** Y minus the means of its columns. */
export function centered({ rows, cols, data }: Matrix): Matrix {
  const means = new Float64Array(cols);
  for (let k = 0; k < data.length; k++) means[k % cols] += data[k] / rows;
  return matrix(
    rows,
    cols,
    data.map((value, k) => value - means[k % cols]!),
  );
}
