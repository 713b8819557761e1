/** Vectors of R^r, at most r of them and independent, with an orthonormal basis (Q R factorization, one vector at a time). */
export class WorkingSet {
  readonly #r: number;
  /** What each vector is: the caller's number. */
  readonly ids: Int32Array;
  /** After `project`: what was removed along each basis vector; after `solve`: multiples of the (unit) vectors that add up to it. */
  readonly along: Float64Array;
  readonly #Q: Float64Array;
  readonly #R: Float64Array;
  #size = 0;

  constructor(r: number) {
    this.#r = r;
    this.ids = new Int32Array(r + 1);
    this.along = new Float64Array(r + 1);
    this.#Q = new Float64Array(r * (r + 1));
    this.#R = new Float64Array((r + 1) * (r + 1));
  }

  get size(): number {
    return this.#size;
  }

  /** Keeps the first `size` vectors. */
  shorten(size: number): void {
    this.#size = size;
  }

  has(id: number): boolean {
    for (let i = 0; i < this.#size; i++) if (this.ids[i] === id) return true;
    return false;
  }

  /** Appends the vector source[at .. at + r) / norm. */
  add(id: number, source: Float64Array, at: number, norm: number): void {
    const r = this.#r;
    const n = this.#size;
    const Q = this.#Q;
    const R = this.#R;
    const stride = r + 1;
    for (let k = 0; k < r; k++) Q[n * r + k] = source[at + k] / norm;
    for (let i = 0; i < n; i++) R[i * stride + n] = 0;
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < n; i++) {
        let along = 0;
        for (let k = 0; k < r; k++) along += Q[i * r + k] * Q[n * r + k];
        R[i * stride + n] += along;
        for (let k = 0; k < r; k++) Q[n * r + k] -= along * Q[i * r + k];
      }
    }
    let length = 0;
    for (let k = 0; k < r; k++) length += Q[n * r + k] * Q[n * r + k];
    length = Math.sqrt(length);
    R[n * stride + n] = length;
    for (let k = 0; k < r; k++) Q[n * r + k] /= length;
    this.ids[n] = id;
    this.#size = n + 1;
  }

  /** Removes the span of the set from x, and keeps what it removes. */
  project(x: Float64Array): void {
    const r = this.#r;
    const Q = this.#Q;
    this.along.fill(0, 0, this.#size);
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < this.#size; i++) {
        let along = 0;
        for (let k = 0; k < r; k++) along += Q[i * r + k] * x[k];
        this.along[i] += along;
        for (let k = 0; k < r; k++) x[k] -= along * Q[i * r + k];
      }
    }
  }

  /** Turns what `project` removed into multiples of the vectors. */
  solve(): void {
    const stride = this.#r + 1;
    for (let i = this.#size - 1; i >= 0; i--) {
      let sum = this.along[i];
      for (let j = i + 1; j < this.#size; j++) sum -= this.#R[i * stride + j] * this.along[j];
      this.along[i] = sum / this.#R[i * stride + i];
    }
  }
}
