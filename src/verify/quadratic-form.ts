import { above, down, EPS, ETA, up } from "./arithmetic.ts";

/** Vectors are added in groups, so that Q is read and written less often. */
const GROUP = 4;

/**
 * A quadratic form u'Qu built up from coef (y'u)^2, each with a coefficient that went through at most two operations. The entries of
 * the rounded Q (its lower triangle is kept) are off by at most (terms + 10) u (1 + small) sum |coef| |y_k| |y_l| + underflow, so u'Qu on the
 * unit ball by at most that with sum |coef| |y|^2.
 */
export class QuadraticForm {
  readonly #r: number;
  readonly #Q: Float64Array;
  readonly #y: Float64Array[];
  readonly #h: Float64Array[];
  #waiting = 0;
  #mass = 0;
  #terms = 0;
  #norms = 0;

  constructor(r: number) {
    this.#r = r;
    this.#Q = new Float64Array(r * r);
    this.#y = Array.from({ length: GROUP }, () => new Float64Array(r));
    this.#h = Array.from({ length: GROUP }, () => new Float64Array(r));
  }

  /** Adds coef (y'u)^2; `norm` is at least |y|. */
  add(coef: number, y: Float64Array, norm: number): void {
    const copy = this.#y[this.#waiting]!;
    const scaled = this.#h[this.#waiting]!;
    for (let k = 0; k < y.length; k++) {
      copy[k] = y[k];
      scaled[k] = coef * y[k];
    }
    this.#mass += Math.abs(coef) * norm * norm;
    this.#norms += norm * (1 + norm);
    this.#terms += 1;
    this.#waiting += 1;
    if (this.#waiting === GROUP) this.#flush();
  }

  #flush(): void {
    const r = this.#r;
    const Q = this.#Q;
    const [y0, y1, y2, y3] = this.#y as [Float64Array, Float64Array, Float64Array, Float64Array];
    const [h0, h1, h2, h3] = this.#h as [Float64Array, Float64Array, Float64Array, Float64Array];
    for (let group = this.#waiting; group < GROUP; group++) this.#h[group]!.fill(0);
    for (let k = 0; k < r; k++) {
      const at = k * r;
      const a = h0[k];
      const b = h1[k];
      const c = h2[k];
      const d = h3[k];
      for (let l = 0; l <= k; l++) Q[at + l] += a * y0[l] + b * y1[l] + c * y2[l] + d * y3[l];
    }
    this.#waiting = 0;
  }

  /** Upper bound of the error of u'Qu on the unit ball. */
  error(): number {
    const terms = this.#terms + 16;
    return up(terms * EPS * this.#mass + ETA * this.#r * (terms + above(this.#norms, terms)));
  }

  /**
   * Whether q(u) = a'u + u'Qu <= budget is certain on the unit ball, by the matrix [[mu I - Q, -a/2], [-a'/2, budget - mu]], mu >= 0: if it is
   * positive semidefinite, then 0 <= mu |u|^2 - u'Qu - a'u + budget - mu <= budget - q(u).
   */
  isBelow(a: Float64Array, mu: number, budget: number): boolean {
    this.#flush();
    const r = this.#r;
    const S = new Float64Array((r + 1) * (r + 1));
    for (let k = 0; k < r; k++) {
      for (let l = 0; l < k; l++) S[k * (r + 1) + l] = -this.#Q[k * r + l];
      S[k * (r + 1) + k] = down(mu - this.#Q[k * r + k]);
      S[r * (r + 1) + k] = -a[k] / 2;
    }
    S[r * (r + 1) + r] = down(budget - mu);
    return isPositiveSemidefinite(S, r + 1);
  }
}

/**
 * Whether Cholesky's method in floating point proves a symmetric matrix (lower triangle, m x m, overwritten) positive semidefinite.
 * If it runs to its end on B, then B = LL' - E with |E_ij| <= g |l_i| |l_j| + tiny, g = (m + 1) u / (1 - (m + 1) u), and |l_i|^2 <=
 * B_ii / (1 - g) (Higham, Accuracy and Stability, theorems 10.3 and 10.4), so B >= -(g / (1 - g)) trace(B) - m tiny, where tiny = (m +
 * max l_ii) ETA is for underflow (here four times that, also for the halving of a). B is the matrix with that much subtracted from its diagonal (Rump, BIT 46 (2006)).
 */
export function isPositiveSemidefinite(S: Float64Array, m: number): boolean {
  let trace = 0;
  for (let i = 0; i < m; i++) {
    if (!(S[i * m + i] > 0)) return false;
    trace += S[i * m + i];
  }
  const shift = up((m + 8) * EPS * trace + 4 * m * (m + 1 + trace) * ETA);
  for (let i = 0; i < m; i++) S[i * m + i] = down(S[i * m + i] - shift);
  for (let i = 0; i < m; i++) {
    const row = i * m;
    for (let j = 0; j < i; j++) S[row + j] = (S[row + j] - dot(S, row, j * m, j)) / S[j * m + j];
    const pivot = S[row + i] - dot(S, row, row, i);
    if (!(pivot > 0 && pivot < Number.POSITIVE_INFINITY)) return false;
    S[row + i] = Math.sqrt(pivot);
  }
  return true;
}

/** Sum of products of two stretches of x, in four partial sums: error bounds do not depend on the order. */
function dot(x: Float64Array, a: number, b: number, count: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < count; k += 4) {
    s0 += x[a + k] * x[b + k];
    s1 += x[a + k + 1] * x[b + k + 1];
    s2 += x[a + k + 2] * x[b + k + 2];
    s3 += x[a + k + 3] * x[b + k + 3];
  }
  for (; k < count; k++) s0 += x[a + k] * x[b + k];
  return s0 + s1 + (s2 + s3);
}
