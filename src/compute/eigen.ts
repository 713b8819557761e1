/**
 * Off-diagonal entries below this, in a matrix scaled to max |a_ij| = 1, are zero: the squares of their squares would
 * underflow, and so would the coefficients of reflectors made of them overflow.
 */
const NEGLIGIBLE = 1e-75;
const SWEEPS_PER_EIGENVALUE = 60;

/**
 * Householder reduction of the lower triangle of `z` (n x n, contiguous) to tridiagonal form T = Q^T A Q. The rows are
 * eliminated from the last up, so that every inner loop runs along a row. `z` becomes Q.
 * Source: Golub and Van Loan, Matrix Computations, 4th ed., section 8.3.1, in reversed order.
 */
function tridiagonalize(n: number, z: Float64Array, diagonal: Float64Array, off: Float64Array): void {
  const w = new Float64Array(n);
  const coefficient = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    const v = z.subarray(i * n, i * n + i);
    // 1. The reflector I - t v v^T that maps row i onto a multiple of its last entry; v overwrites the row.
    let tail = 0;
    for (let k = 0; k < i - 1; k++) tail += v[k]! * v[k]!;
    const last = v[i - 1]!;
    if (tail < NEGLIGIBLE * NEGLIGIBLE) {
      off[i - 1] = last;
      continue;
    }
    const length = Math.sqrt(tail + last * last);
    const image = last > 0 ? -length : length;
    off[i - 1] = image;
    v[i - 1] = last - image;
    const t = 1 / (length * (length + Math.abs(last)));
    coefficient[i] = t;
    // 2. w = t A v over the leading i x i block, of which only the lower triangle is stored.
    w.fill(0, 0, i);
    for (let j = 0; j < i; j++) {
      const at = j * n;
      const vj = v[j]!;
      let sum = z[at + j]! * vj;
      for (let k = 0; k < j; k++) {
        const entry = z[at + k]!;
        sum += entry * v[k]!;
        w[k] = w[k]! + entry * vj;
      }
      w[j] = w[j]! + sum;
    }
    let inner = 0;
    for (let k = 0; k < i; k++) inner += w[k]! * v[k]!;
    const shift = 0.5 * t * t * inner;
    for (let k = 0; k < i; k++) w[k] = t * w[k]! - shift * v[k]!;
    // 3. A <- A - v w^T - w v^T on the lower triangle.
    for (let j = 0; j < i; j++) {
      const at = j * n;
      const vj = v[j]!;
      const wj = w[j]!;
      for (let k = 0; k <= j; k++) z[at + k] = z[at + k]! - vj * w[k]! - wj * v[k]!;
    }
  }
  for (let i = 0; i < n; i++) diagonal[i] = z[i * n + i]!;
  // 4. Q = H_{n-1} ... H_1: reflector i touches only the leading i x i block, whose rows are already done.
  for (let i = 0; i < n; i++) {
    const t = coefficient[i]!;
    if (t !== 0) {
      w.fill(0, 0, i);
      for (let k = 0; k < i; k++) {
        const vk = z[i * n + k]!;
        for (let j = 0; j < i; j++) w[j] = w[j]! + vk * z[k * n + j]!;
      }
      for (let k = 0; k < i; k++) {
        const factor = t * z[i * n + k]!;
        for (let j = 0; j < i; j++) z[k * n + j] = z[k * n + j]! - factor * w[j]!;
      }
    }
    for (let k = 0; k < i; k++) {
      z[i * n + k] = 0;
      z[k * n + i] = 0;
    }
    z[i * n + i] = 1;
  }
}

/** In-place transpose of a contiguous n x n matrix. */
function transposeInPlace(n: number, z: Float64Array): void {
  for (let i = 1; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const kept = z[i * n + j]!;
      z[i * n + j] = z[j * n + i]!;
      z[j * n + i] = kept;
    }
  }
}

/**
 * Implicit QR iteration with Wilkinson's shift on a symmetric tridiagonal matrix; the rotations act on pairs of rows of
 * `rows` (Q^T, n x n), which end as the eigenvectors; null for the eigenvalues alone.
 * Source: Golub and Van Loan, algorithms 8.3.2 and 8.3.3.
 */
export function tridiagonalQr(n: number, diagonal: Float64Array, off: Float64Array, rows: Float64Array | null): void {
  const negligible = (k: number): boolean => {
    const size = Math.abs(off[k]!);
    return size < NEGLIGIBLE || size <= Number.EPSILON * 0.5 * (Math.abs(diagonal[k]!) + Math.abs(diagonal[k + 1]!));
  };
  let sweeps = SWEEPS_PER_EIGENVALUE * n;
  let end = n - 1;
  while (end > 0) {
    // 1. The last unreduced block is start .. end.
    if (negligible(end - 1)) {
      off[end - 1] = 0;
      end -= 1;
      continue;
    }
    let start = end - 1;
    while (start > 0 && !negligible(start - 1)) start -= 1;
    if (sweeps-- === 0) throw new Error("symmetricEigen: the QR iteration did not converge");
    // 2. Shift: the eigenvalue of the trailing 2 x 2 block nearer to its last entry.
    const half = 0.5 * (diagonal[end - 1]! - diagonal[end]!);
    const last = off[end - 1]!;
    const root = Math.sqrt(half * half + last * last);
    const shift = diagonal[end]! - (last / (half + (half < 0 ? -root : root))) * last;
    // 3. Chase the bulge down the block.
    let x = diagonal[start]! - shift;
    let bulge = off[start]!;
    for (let k = start; k < end; k++) {
      const radius = Math.sqrt(x * x + bulge * bulge);
      const c = radius === 0 ? 1 : x / radius;
      const s = radius === 0 ? 0 : bulge / radius;
      if (k > start) off[k - 1] = radius;
      const upper = diagonal[k]!;
      const lower = diagonal[k + 1]!;
      const between = off[k]!;
      const move = s * (s * (lower - upper) + 2 * c * between);
      diagonal[k] = upper + move;
      diagonal[k + 1] = lower - move;
      off[k] = c * s * (lower - upper) + (c - s) * (c + s) * between;
      x = off[k]!;
      if (k + 1 < end) {
        bulge = s * off[k + 1]!;
        off[k + 1] = c * off[k + 1]!;
      }
      if (rows === null) continue;
      const first = k * n;
      const second = first + n;
      for (let j = 0; j < n; j++) {
        const a = rows[first + j]!;
        const b = rows[second + j]!;
        rows[first + j] = c * a + s * b;
        rows[second + j] = c * b - s * a;
      }
    }
  }
}

/**
 * See `Kernels.symmetricEigen`, in plain loops: for small orders, and as the reference. A matrix with an entry that is not
 * finite has NaN eigenvalues and eigenvectors.
 */
export function symmetricEigen(n: number, a: Float64Array, lda: number, values: Float64Array): void {
  const z = new Float64Array(n * n);
  let scale = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const entry = 0.5 * a[i * lda + j]! + 0.5 * a[j * lda + i]!;
      z[i * n + j] = entry;
      scale = Math.max(scale, Math.abs(entry));
    }
  }
  if (!Number.isFinite(scale)) {
    values.fill(Number.NaN, 0, n);
    for (let i = 0; i < n; i++) a.fill(Number.NaN, i * lda, i * lda + n);
    return;
  }
  // Scaled to max |a_ij| = 1, nothing below overflows.
  if (scale > 0) for (let k = 0; k < z.length; k++) z[k] = z[k]! / scale;
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  tridiagonalize(n, z, diagonal, off);
  transposeInPlace(n, z);
  tridiagonalQr(n, diagonal, off, z);
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[i]! - diagonal[j]!);
  order.forEach((from, to) => {
    values[to] = scale * diagonal[from]!;
    for (let j = 0; j < n; j++) a[j * lda + to] = z[from * n + j]!;
  });
}
