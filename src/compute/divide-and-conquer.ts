import { tridiagonalQr } from "./eigen.ts";
import type { Arithmetic } from "./reflectors.ts";
import { secularRoot } from "./secular.ts";

/** Order up to which QR iteration is used. */
const LEAF = 32;
const ROUNDOFF = Number.EPSILON / 2;

/** Where a row of the eigenvectors of two separate halves has its entries. */
type Half = "top" | "both" | "bottom";

/**
 * Eigenvalues (into `diagonal`, any order) and orthonormal eigenvectors (into the rows of `rows`, n x n zeros) of the
 * symmetric tridiagonal matrix of order `n` with the given diagonal and n - 1 entries `off` beside it. Entries are at most
 * about 1 in size; `off` is destroyed.
 *
 * Divide and conquer with deflation. Sources: Cuppen, A divide and conquer method for the symmetric tridiagonal
 * eigenproblem, 1981; Gu and Eisenstat, A divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem, 1995.
 */
export function tridiagonalEigen(
  arithmetic: Arithmetic,
  n: number,
  diagonal: Float64Array,
  off: Float64Array,
  rows: Float64Array,
): void {
  arithmetic.scope((scope) => {
    const eigenvectors = scope.f64(n * n);
    const packed = scope.f64(n * n);

    const leaf = (from: number, to: number): void => {
      const size = to - from;
      const local = new Float64Array(size * size);
      for (let i = 0; i < size; i++) local[i * size + i] = 1;
      tridiagonalQr(size, diagonal.subarray(from, to), off.subarray(from, to), local);
      for (let i = 0; i < size; i++) {
        rows.set(local.subarray(i * size, (i + 1) * size), (from + i) * n + from);
      }
    };

    /** Eigenpairs of the block from .. to - 1; those of its halves are known, and `rho` `sign` join them. */
    const merge = (from: number, middle: number, to: number, rho: number, sign: number): void => {
      const size = to - from;
      // 1. D + rho z z^T in the basis of the halves' eigenvectors, with ||z|| = 1.
      const z = new Float64Array(size);
      let largest = 0;
      let largestWeight = 0;
      for (let p = 0; p < size; p++) {
        const row = (from + p) * n;
        z[p] = (from + p < middle ? rows[row + middle - 1]! : sign * rows[row + middle]!) * Math.SQRT1_2;
        largest = Math.max(largest, Math.abs(diagonal[from + p]!));
        largestWeight = Math.max(largestWeight, Math.abs(z[p]!));
      }
      const strength = 2 * rho;
      const tolerance = 8 * ROUNDOFF * Math.max(largest, largestWeight);

      // 2. Deflate: an eigenpair of a half stays one where its weight is negligible, or can be made so by a rotation
      // with the next.
      const values = diagonal.slice(from, to);
      const halves = Array.from({ length: size }, (_, p): Half => (from + p < middle ? "top" : "bottom"));
      const kept: number[] = [];
      const deflated: number[] = [];
      let pending = -1;
      for (const p of Array.from(values.keys()).sort((i, j) => values[i]! - values[j]!)) {
        if (strength * Math.abs(z[p]!) <= tolerance) {
          deflated.push(p);
          continue;
        }
        if (pending >= 0) {
          const weight = Math.hypot(z[p]!, z[pending]!);
          const c = z[p]! / weight;
          const s = -z[pending]! / weight;
          const [lower, upper] = [values[pending]!, values[p]!];
          if (Math.abs((upper - lower) * c * s) <= tolerance) {
            z[p] = weight;
            values[pending] = c * c * lower + s * s * upper;
            values[p] = s * s * lower + c * c * upper;
            const one = (from + pending) * n;
            const other = (from + p) * n;
            for (let j = from; j < to; j++) {
              const x = rows[one + j]!;
              const y = rows[other + j]!;
              rows[one + j] = c * x + s * y;
              rows[other + j] = c * y - s * x;
            }
            if (halves[p] !== halves[pending]) halves[p] = "both";
            deflated.push(pending);
          } else kept.push(pending);
        }
        pending = p;
      }
      if (pending >= 0) kept.push(pending);
      const order = kept.length;
      if (order === 0) return;

      // 3. Roots of the secular equation; row i of `eigenvectors` holds d_j - lambda_i.
      const poles = Float64Array.from(kept, (p) => values[p]!);
      const root = Math.sqrt(strength);
      const weights = Float64Array.from(kept, (p) => root * z[p]!);
      for (let i = 0; i < order; i++) {
        diagonal[from + i] = secularRoot(i, order, poles, weights, eigenvectors.subarray(i * order, (i + 1) * order));
      }
      // 4. The weights of which these are the exact roots (Loewner); their eigenvectors are orthogonal.
      const squares = new Float64Array(order);
      for (let j = 0; j < order; j++) squares[j] = -eigenvectors[j * order + j]!;
      for (let i = 0; i < order; i++) {
        const pole = poles[i]!;
        const row = i * order;
        for (let j = 0; j < i; j++) squares[j] = squares[j]! * (eigenvectors[row + j]! / (poles[j]! - pole));
        for (let j = i + 1; j < order; j++) squares[j] = squares[j]! * (eigenvectors[row + j]! / (poles[j]! - pole));
      }
      for (let j = 0; j < order; j++) {
        const size = Math.sqrt(Math.abs(squares[j]!));
        weights[j] = z[kept[j]!]! < 0 ? -size : size;
      }
      // 5. Rows that live in one half only are grouped, so that half of the product is skipped.
      const counts: Record<Half, number> = { top: 0, both: 0, bottom: 0 };
      for (const p of kept) counts[halves[p]!] += 1;
      const next: Record<Half, number> = { top: 0, both: counts.top, bottom: counts.top + counts.both };
      const position = Uint32Array.from(kept, (p) => next[halves[p]!]++);
      const vector = new Float64Array(order);
      for (let i = 0; i < order; i++) {
        let sum = 0;
        for (let j = 0; j < order; j++) {
          const entry = weights[j]! / eigenvectors[i * order + j]!;
          vector[j] = entry;
          sum += entry * entry;
        }
        const factor = 1 / Math.sqrt(sum);
        for (let j = 0; j < order; j++) eigenvectors[i * order + position[j]!] = factor * vector[j]!;
      }
      // 6. Back to the basis of the block.
      const topSize = middle - from;
      const bottomSize = to - middle;
      const topRows = counts.top + counts.both;
      const bottomRows = counts.both + counts.bottom;
      const bottom = packed.subarray(topRows * topSize);
      const aside = bottom.subarray(bottomRows * bottomSize);
      kept.forEach((p, k) => {
        const start = (from + p) * n;
        const at = position[k]!;
        if (at < topRows) packed.set(rows.subarray(start + from, start + middle), at * topSize);
        if (at >= counts.top) bottom.set(rows.subarray(start + middle, start + to), (at - counts.top) * bottomSize);
      });
      deflated.forEach((p, k) => {
        const start = (from + p) * n;
        aside.set(rows.subarray(start + from, start + to), k * size);
      });
      const corner = from * n + from;
      const left = rows.subarray(corner);
      arithmetic.gemm(false, false, order, topSize, topRows, 1, eigenvectors, order, packed, topSize, 0, left, n);
      const right = rows.subarray(corner + topSize);
      const lower = eigenvectors.subarray(counts.top);
      arithmetic.gemm(false, false, order, bottomSize, bottomRows, 1, lower, order, bottom, bottomSize, 0, right, n);
      deflated.forEach((p, k) => {
        const at = from + order + k;
        diagonal[at] = values[p]!;
        rows.set(aside.subarray(k * size, (k + 1) * size), at * n + from);
      });
    };

    const solve = (from: number, to: number): void => {
      if (to - from <= LEAF) {
        leaf(from, to);
        return;
      }
      // The entry that joins the halves is split off as rho (e, sign e)(e, sign e)^T.
      const middle = (from + to) >>> 1;
      const joint = off[middle - 1]!;
      const rho = Math.abs(joint);
      diagonal[middle - 1] = diagonal[middle - 1]! - rho;
      diagonal[middle] = diagonal[middle]! - rho;
      solve(from, middle);
      solve(middle, to);
      merge(from, middle, to, rho, Math.sign(joint));
    };
    solve(0, n);
  });
}
