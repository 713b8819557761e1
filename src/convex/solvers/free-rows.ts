/**
 * A changing set of at most `width` independent rows with their factors, columns of A' = Q R: Q orthonormal, R upper
 * triangular. A row is added by two rounds of Gram-Schmidt and removed by plane rotations, O(width * count) each.
 */
export class FreeRows {
  /** Indices of the rows in the order of the columns of R; the first `count` count. */
  readonly rows: Int32Array;
  count = 0;
  readonly #X: Float64Array;
  readonly #width: number;
  /** Row a is the a-th column of Q. */
  readonly #Q: Float64Array;
  /** Row a is the a-th column of R. */
  readonly #R: Float64Array;
  #updates = 0;

  constructor(X: Float64Array, width: number) {
    this.#X = X;
    this.#width = width;
    this.rows = new Int32Array(width);
    this.#Q = new Float64Array(width * width);
    this.#R = new Float64Array(width * width);
  }

  clear(): void {
    this.count = 0;
    this.#updates = 0;
  }

  /** So many removals that rounding errors of the rotations may have added up. */
  get stale(): boolean {
    return this.#updates > 200;
  }

  /** Factors the rows afresh. */
  refactor(): void {
    const count = this.count;
    this.clear();
    for (let a = 0; a < count; a++) this.add(this.rows[a], 0);
  }

  /** Adds row k; false (and nothing changed) when its part normal to the others is at most `least` long. */
  add(k: number, least: number): boolean {
    const w = this.#width;
    const Q = this.#Q;
    const R = this.#R;
    const at = this.count * w;
    for (let c = 0; c < w; c++) Q[at + c] = this.#X[k * w + c];
    R.fill(0, at, at + w);
    for (let round = 0; round < 2; round++) {
      for (let a = 0; a < this.count; a++) {
        let sum = 0;
        for (let c = 0; c < w; c++) sum += Q[a * w + c] * Q[at + c];
        R[at + a] += sum;
        for (let c = 0; c < w; c++) Q[at + c] -= sum * Q[a * w + c];
      }
    }
    let norm = 0;
    for (let c = 0; c < w; c++) norm += Q[at + c] * Q[at + c];
    norm = Math.sqrt(norm);
    if (!(norm > least)) return false;
    for (let c = 0; c < w; c++) Q[at + c] /= norm;
    R[at + this.count] = norm;
    this.rows[this.count++] = k;
    return true;
  }

  /** Removes the row at `place`. */
  remove(place: number): void {
    const w = this.#width;
    const Q = this.#Q;
    const R = this.#R;
    const last = this.count - 1;
    for (let a = place; a < last; a++) {
      this.rows[a] = this.rows[a + 1];
      R.copyWithin(a * w, (a + 1) * w, (a + 1) * w + a + 2);
    }
    this.count = last;
    for (let a = place; a < last; a++) {
      // Column a reaches one entry below the diagonal: rotate coordinates a and a + 1.
      const x = R[a * w + a];
      const y = R[a * w + a + 1];
      const h = Math.sqrt(x * x + y * y);
      const cos = x / h;
      const sin = y / h;
      R[a * w + a] = h;
      for (let b = a + 1; b < last; b++) {
        const s = R[b * w + a];
        const t = R[b * w + a + 1];
        R[b * w + a] = cos * s + sin * t;
        R[b * w + a + 1] = cos * t - sin * s;
      }
      for (let c = 0; c < w; c++) {
        const s = Q[a * w + c];
        const t = Q[(a + 1) * w + c];
        Q[a * w + c] = cos * s + sin * t;
        Q[(a + 1) * w + c] = cos * t - sin * s;
      }
    }
    this.#updates += 1;
  }

  /** out (count entries) <- the coefficients of the rows that fit b best. */
  solve(b: Float64Array, out: Float64Array): void {
    const w = this.#width;
    const Q = this.#Q;
    const R = this.#R;
    for (let a = 0; a < this.count; a++) {
      let sum = 0;
      for (let c = 0; c < w; c++) sum += Q[a * w + c] * b[c];
      out[a] = sum;
    }
    for (let a = this.count - 1; a >= 0; a--) {
      out[a] /= R[a * w + a];
      for (let k = 0; k < a; k++) out[k] -= R[a * w + k] * out[a];
    }
  }

  /** b <- the part of b normal to the rows. */
  project(b: Float64Array): void {
    const w = this.#width;
    const Q = this.#Q;
    for (let round = 0; round < 2; round++) {
      for (let a = 0; a < this.count; a++) {
        let sum = 0;
        for (let c = 0; c < w; c++) sum += Q[a * w + c] * b[c];
        for (let c = 0; c < w; c++) b[c] -= sum * Q[a * w + c];
      }
    }
  }
}
