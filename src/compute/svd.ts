import { factorQr, multiplyByQ, multiplyRowsByQ, type QrFactors } from "./qr.ts";
import { type Arithmetic, transpose } from "./reflectors.ts";
import { requireMatrix } from "./shapes.ts";

/** Singular values below this part of the largest one of a core are left to the next core. */
const LEADING = 1 / 16;
/** A core this much smaller than the whole matrix is rounding error, and its diagonal is as good as its singular values. */
const NEGLIGIBLE = Number.EPSILON * 2 ** -10;

/**
 * Singular values (into `values`, not in order) and vectors of the order x order matrix `core`, contiguous and destroyed:
 * core = L diag(values) R with the columns of L in the rows of `left`, and R in `right`.
 *
 * The eigenvectors W of core^T core make the columns of core W orthogonal up to rounding errors of the largest singular
 * value squared. The QR factorization of core W is therefore diagonal in its leading rows, where it keeps the singular
 * values within a factor 1 / {@link LEADING} of the largest; the trailing block of R is the next core, where the rounding
 * errors are smaller. Every step is a product with an orthogonal matrix, so the errors are those of backward stable
 * algorithms: a small multiple of order x epsilon x the largest singular value.
 */
function coreSvd(
  arithmetic: Arithmetic,
  order: number,
  core: Float64Array,
  values: Float64Array,
  left: Float64Array,
  right: Float64Array,
): void {
  for (let i = 0; i < order; i++) {
    left[i * order + i] = 1;
    right[i * order + i] = 1;
  }
  let whole = 0;
  for (let start = 0; start < order; ) {
    const n = order - start;
    // 1. Scale, so that squares neither overflow nor vanish.
    const size = arithmetic.normInf(n * n, core);
    if (size <= whole * NEGLIGIBLE) {
      for (let i = 0; i < n; i++) values[start + i] = Math.abs(core[i * n + i]!);
      return;
    }
    if (start === 0) whole = size;
    for (let i = 0; i < n * n; i++) core[i] = core[i]! / size;
    const found = arithmetic.scope((scope) => {
      // 2. Eigenvectors of core^T core, as rows and from the largest eigenvalue down.
      const gram = scope.f64(n * n);
      const ascending = scope.f64(n);
      arithmetic.gemm(true, false, n, n, n, 1, core, n, core, n, 0, gram, n);
      arithmetic.symmetricEigen(n, gram, n, ascending);
      const directions = scope.f64(n * n);
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) directions[i * n + j] = gram[j * n + n - 1 - i]!;
      // 3. core W = Q R.
      const turned = scope.f64(n * n);
      arithmetic.gemm(false, true, n, n, n, 1, core, n, directions, n, 0, turned, n);
      const factors = factorQr(arithmetic, scope, n, n, turned, n);
      // 4. left <- left Q and right <- W^T right, on the part that is not final yet.
      multiplyByQ(arithmetic, factors, true, order, left.subarray(start * order), order);
      const remaining = scope.copy(right.subarray(start * order));
      const image = right.subarray(start * order);
      arithmetic.gemm(false, false, n, order, n, 1, directions, n, remaining, order, 0, image, order);
      // 5. Keep the leading singular values; the rest is the next core.
      const { lower } = factors;
      let largest = 0;
      for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(lower[i * n + i]!));
      let kept = 0;
      for (; kept < n; kept++) {
        const value = lower[kept * n + kept]!;
        if (Math.abs(value) < LEADING * largest) break;
        values[start + kept] = Math.abs(value) * size;
        if (value < 0) {
          const at = (start + kept) * order;
          for (let j = at; j < at + order; j++) left[j] = -left[j]!;
        }
      }
      const rest = n - kept;
      for (let i = 0; i < rest; i++) {
        for (let j = 0; j < rest; j++) core[i * rest + j] = size * lower[(kept + j) * n + kept + i]!;
      }
      return kept;
    });
    start += found;
  }
}

/**
 * Thin singular value decomposition A = U diag(values) V^T of the m x n matrix `a` (rows `lda` apart, not changed), with
 * k = min(m, n): k values, descending; `u` m x k and `vt` k x n with orthonormal columns and rows, also where values are 0.
 * Values are accurate to a small multiple of max(m, n) x epsilon x the largest. A matrix with an entry that is not finite
 * has NaN everywhere.
 */
export function svd(
  arithmetic: Arithmetic,
  m: number,
  n: number,
  a: Float64Array,
  lda: number,
  values: Float64Array,
  u: Float64Array,
  ldu: number,
  vt: Float64Array,
  ldvt: number,
): void {
  const k = Math.min(m, n);
  requireMatrix("svd", "A", m, n, a, lda);
  requireMatrix("svd", "values", 1, k, values, k);
  requireMatrix("svd", "U", m, k, u, ldu);
  requireMatrix("svd", "V^T", k, n, vt, ldvt);
  arithmetic.scope((scope) => {
    // 1. A tall matrix X: A or its transpose, scaled so that norms do not overflow.
    const wide = m < n;
    const rows = Math.max(m, n);
    const tall = scope.f64(rows * k);
    if (wide) transpose(m, n, a, lda, tall, k);
    else for (let i = 0; i < m; i++) tall.set(a.subarray(i * lda, i * lda + n), i * n);
    const scale = arithmetic.normInf(rows * k, tall);
    if (!Number.isFinite(scale)) {
      values.fill(Number.NaN, 0, k);
      for (let i = 0; i < m; i++) u.fill(Number.NaN, i * ldu, i * ldu + k);
      for (let i = 0; i < k; i++) vt.fill(Number.NaN, i * ldvt, i * ldvt + n);
      return;
    }
    if (scale > 0) for (let i = 0; i < rows * k; i++) tall[i] = tall[i]! / scale;
    // 2. Its square core: R of X = Q R when it is taller than wide.
    let factors: QrFactors | null = null;
    let core = tall;
    if (rows > k) {
      factors = factorQr(arithmetic, scope, rows, k, tall, k);
      core = scope.f64(k * k);
      transpose(k, k, factors.lower, rows, core, k);
    }
    const unordered = new Float64Array(k);
    const left = scope.f64(k * k);
    const right = scope.f64(k * k);
    coreSvd(arithmetic, k, core, unordered, left, right);
    // 3. In descending order; rows are now left and right singular vectors of X.
    const order = Array.from(unordered.keys()).sort((i, j) => unordered[j]! - unordered[i]!);
    const leftRows = scope.f64(k * rows);
    const rightRows = scope.f64(k * k);
    order.forEach((from, to) => {
      values[to] = scale * unordered[from]!;
      leftRows.set(left.subarray(from * k, (from + 1) * k), to * rows);
      rightRows.set(right.subarray(from * k, (from + 1) * k), to * k);
    });
    if (factors !== null) multiplyRowsByQ(arithmetic, factors, true, k, leftRows, rows);
    // 4. The factors of A.
    transpose(k, m, wide ? rightRows : leftRows, m, u, ldu);
    const rowsOfV = wide ? leftRows : rightRows;
    for (let i = 0; i < k; i++) vt.set(rowsOfV.subarray(i * n, (i + 1) * n), i * ldvt);
  });
}

/** How many of the descending singular values of an m x n matrix exceed `tolerance` times the first (default: max(m, n) epsilon). */
export function numericalRank(
  m: number,
  n: number,
  values: ArrayLike<number>,
  tolerance: number = Math.max(m, n) * Number.EPSILON,
): number {
  const threshold = tolerance * (values[0] ?? 0);
  let rank = 0;
  while (rank < Math.min(m, n) && values[rank]! > threshold) rank += 1;
  return rank;
}
