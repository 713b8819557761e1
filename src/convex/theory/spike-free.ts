import { type Matrix, matrix, row } from "../../base/matrix.ts";
import type { RandomStream } from "../../base/random.ts";
import type { Compute } from "../../compute/types.ts";
import { choleskyFactor, gramOfRows, inner, inverseOfFactored, solveFactored, timesVector } from "./dense.ts";

/** Whether (X u)_+ is in X B2 for every u in the unit ball B2, and why. */
export interface SpikeFreeTest {
  readonly spikeFree: boolean;
  /** One row of each distinct direction (rays; zero rows have none). */
  readonly rays: readonly number[];
  /** Whether those directions are linearly independent: otherwise some (X u)_+ leaves the range of X. */
  readonly independent: boolean;
  /**
   * The largest off-diagonal entry of (C C')^-1, C the unit directions, relative to its diagonal; spike-free means <= 0.
   * NaN when they are dependent, -Infinity for a single one.
   */
  readonly coupling: number;
}

/** Directions whose cosine is this near to 1 are one. */
const SAME_DIRECTION = 1e-14;
const DEPENDENT = 1e-12;
const COUPLED = 1e-12;

/**
 * An exact test for spike-free data (Ergen & Pilanci, arXiv:2002.11219, Lemma 3), of any rank, in polynomial time: X is
 * spike-free if and only if its distinct row directions c_1 ... c_k (positive multiples count as one, zero rows as none)
 * are linearly independent and (C C')^-1 has no positive off-diagonal entry. Derivation in docs/errata.md; it contains the
 * families of the paper (diagonal, scaled orthogonal rows, whitened, c a' with c >= 0) and corrects the third form of
 * Lemma 3, which does not hold for rank-deficient X.
 */
export function testSpikeFree(X: Matrix): SpikeFreeTest {
  const { rays, C } = directions(X);
  const K = inverseGram(C);
  if (K === null) return { spikeFree: false, rays, independent: false, coupling: Number.NaN };
  let coupling = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < C.rows; i++) {
    for (let j = 0; j < i; j++) {
      const scale = Math.sqrt(K.data[i * C.rows + i] * K.data[j * C.rows + j]);
      coupling = Math.max(coupling, K.data[i * C.rows + j] / scale);
    }
  }
  return { spikeFree: !(coupling > COUPLED), rays, independent: true, coupling };
}

export interface ExcessOptions {
  /** Directions sampled for the lower bound; default 2,000. */
  readonly samples?: number;
  /** Up to this many distinct directions the excess is computed exactly (3^k eigenproblems); default 7. */
  readonly exactUpTo?: number;
  readonly random: RandomStream;
}

/** Bounds of the spike-free excess max over unit u in the row space of ||X^+ (X u)_+||, minus 1. */
export interface SpikeFreeExcess {
  readonly lower: number;
  readonly upper: number;
  readonly exact: boolean;
}

/** Up to this many directions the spectral norms of all patterns are tried for the upper bound. */
const SPECTRAL_ROWS = 10;

/**
 * How far X is from spike-free: the excess is 0 (its least value) if and only if it is. Infinite when the distinct row
 * directions are dependent, because then some (X u)_+ is outside the range of X. Directions are sampled in the row space:
 * the rest of R^d does not matter to X u and would only dilute the norm.
 *
 * Exact by faces for few rows: on the face of a sign vector the ratio is a quotient of two quadratic forms, whose maximum
 * counts where its eigenvector has these signs. The upper bound is the largest spectral norm of X^+ D X over patterns, or
 * the condition number of the unit directions.
 */
export function spikeFreeExcess(compute: Compute, X: Matrix, options: ExcessOptions): SpikeFreeExcess {
  const { C } = directions(X);
  const k = C.rows;
  const K = inverseGram(C);
  const infinite = Number.POSITIVE_INFINITY;
  if (K === null) return { lower: infinite, upper: infinite, exact: true };
  if (k <= 1) return { lower: 0, upper: 0, exact: true };
  if (k <= (options.exactUpTo ?? 7)) {
    const excess = exactRatio(compute, K) - 1;
    return { lower: excess, upper: excess, exact: true };
  }
  const lower = Math.max(1, sampledRatio(K, options.samples ?? 2000, options.random)) - 1;
  const upper = k <= SPECTRAL_ROWS ? spectralRatio(compute, K) : conditionNumber(compute, C);
  return { lower, upper: Math.max(lower, upper - 1), exact: false };
}

/** The distinct directions of the rows of X: their first rows, and unit vectors. */
function directions(X: Matrix): { rays: number[]; C: Matrix } {
  const rays: number[] = [];
  const units: Float64Array[] = [];
  for (let i = 0; i < X.rows; i++) {
    const length = Math.hypot(...row(X, i));
    if (length === 0) continue;
    const unit = row(X, i).map((t) => t / length);
    const known = units.some((other) => {
      let distance = 0;
      for (let k = 0; k < unit.length; k++) distance += (unit[k] - other[k]) ** 2;
      return distance <= SAME_DIRECTION;
    });
    if (known) continue;
    rays.push(i);
    units.push(unit);
  }
  const C = matrix(units.length, X.cols);
  units.forEach((unit, i) => {
    C.data.set(unit, i * X.cols);
  });
  return { rays, C };
}

/** (C C')^-1, or null when the rows are dependent. */
function inverseGram(C: Matrix): Matrix | null {
  if (C.rows > C.cols) return null;
  const L = choleskyFactor(gramOfRows(C), DEPENDENT);
  return L === null ? null : inverseOfFactored(L);
}

/** The submatrix of K with these rows and columns. */
function principal(K: Matrix, indices: readonly number[]): Matrix {
  const out = matrix(indices.length, indices.length);
  indices.forEach((i, a) => {
    indices.forEach((j, b) => {
      out.data[a * indices.length + b] = K.data[i * K.cols + j];
    });
  });
  return out;
}

/**
 * max of p'A p / p'B^-1 p with its maximizer p: the largest eigenvalue of L'A L for B = L L'.
 */
function largestRatio(compute: Compute, A: Matrix, B: Matrix): { value: number; p: Float64Array } {
  const m = A.rows;
  return compute.scope((scope) => {
    const L = scope.copy(B.data);
    compute.cholesky(m, L, m);
    const a = scope.copy(A.data);
    const product = scope.f64(m * m);
    const form = scope.f64(m * m);
    compute.gemm(false, false, m, m, m, 1, a, m, L, m, 0, product, m);
    compute.gemm(true, false, m, m, m, 1, L, m, product, m, 0, form, m);
    const values = scope.f64(m);
    compute.symmetricEigen(m, form, m, values);
    const p = new Float64Array(m);
    for (let i = 0; i < m; i++) for (let q = 0; q < m; q++) p[i] += L[i * m + q] * form[q * m + m - 1];
    return { value: values[m - 1], p };
  });
}

/**
 * max over z of ||z_+||_K / ||z||_K. On the face with positive set P and negative set N, the best negative part of z is
 * -K_NN^-1 K_NP z_P, which leaves the Schur complement: its inverse is the P block of (K_TT)^-1, T = P + N.
 */
function exactRatio(compute: Compute, K: Matrix): number {
  const k = K.rows;
  let best = 1;
  for (let code = 0; code < 3 ** k; code++) {
    const P: number[] = [];
    const N: number[] = [];
    for (let i = 0, rest = code; i < k; i++, rest = Math.floor(rest / 3)) {
      if (rest % 3 === 1) P.push(i);
      if (rest % 3 === 2) N.push(i);
    }
    if (P.length === 0 || N.length === 0) continue;
    const T = [...P, ...N];
    const inverse = inverseOf(principal(K, T));
    const positions = P.map((_, a) => a);
    const { value, p } = largestRatio(compute, principal(K, P), principal(inverse, positions));
    if (value <= best * best) continue;
    const flip = p.reduce((sum, t) => sum + t, 0) < 0 ? -1 : 1;
    if (!p.every((t) => flip * t >= -1e-12)) continue;
    // z_N = -K_NN^-1 K_NP z_P must be <= 0; K_NN^-1 through the inverse of K_TT: z_T is proportional to inverse [g; 0].
    const g = solveFactored(factorOf(principal(inverse, positions)), p);
    const negative = N.every((_, b) => {
      let z = 0;
      for (let a = 0; a < P.length; a++) z += inverse.data[(P.length + b) * T.length + a] * g[a];
      return flip * z <= 1e-12;
    });
    if (negative) best = Math.sqrt(value);
  }
  return best;
}

/** max over patterns of the spectral norm of X^+ D X: the same without the sign conditions, over full sets. */
function spectralRatio(compute: Compute, K: Matrix): number {
  const k = K.rows;
  const G = inverseOf(K);
  let best = 1;
  for (let set = 1; set < 2 ** k; set++) {
    const P = Array.from({ length: k }, (_, i) => i).filter((i) => (set >> i) & 1);
    best = Math.max(best, largestRatio(compute, principal(K, P), principal(G, P)).value);
  }
  return Math.sqrt(best);
}

/** The condition number of C: ||z_+||_K^2 <= (largest / smallest eigenvalue of K) ||z||_K^2. */
function conditionNumber(compute: Compute, C: Matrix): number {
  const k = C.rows;
  return compute.scope((scope) => {
    const G = scope.copy(gramOfRows(C).data);
    const values = scope.f64(k);
    compute.symmetricEigen(k, G, k, values);
    return Math.sqrt(values[k - 1] / values[0]);
  });
}

/** The largest sampled ratio: random directions u in the row space, the best few improved by power steps. */
function sampledRatio(K: Matrix, samples: number, random: RandomStream): number {
  const k = K.rows;
  const G = inverseOf(K);
  // z = C u for a Gaussian u in the row space: covariance C C' = G.
  const L = factorOf(G);
  const ratio = (z: Float64Array): number => {
    const plus = z.map((t) => Math.max(0, t));
    return Math.sqrt(quadratic(K, plus) / quadratic(K, z));
  };
  const best: { z: Float64Array; value: number }[] = [];
  for (let s = 0; s < samples; s++) {
    const g = Float64Array.from({ length: k }, () => random.normal());
    const z = new Float64Array(k);
    for (let i = 0; i < k; i++) for (let q = 0; q <= i; q++) z[i] += L.data[i * k + q] * g[q];
    best.push({ z, value: ratio(z) });
  }
  best.sort((a, b) => b.value - a.value);
  let largest = best[0]?.value ?? 1;
  for (const { z } of best.slice(0, 10)) {
    let current = z;
    let value = ratio(z);
    for (let step = 0; step < 200; step++) {
      // One power step at the current pattern: z <- G D K D z.
      const plus = current.map((t) => Math.max(0, t));
      const next = timesVector(
        G,
        timesVector(K, plus).map((t, i) => (current[i] > 0 ? t : 0)),
      );
      const reached = ratio(next);
      if (!(reached > value * (1 + 1e-12))) break;
      value = reached;
      current = next;
    }
    largest = Math.max(largest, value);
  }
  return largest;
}

function quadratic(K: Matrix, z: Float64Array): number {
  return inner(z, timesVector(K, z));
}

/** The inverse of a positive definite matrix. */
function inverseOf(A: Matrix): Matrix {
  return inverseOfFactored(factorOf(A));
}

function factorOf(A: Matrix): Matrix {
  const L = choleskyFactor(A);
  if (L === null) throw new RangeError("a matrix that must be positive definite is not");
  return L;
}
