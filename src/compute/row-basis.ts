import type { Kernels } from "./types.ts";

/** Orthonormal rows of `size` entries that grow one by one, up to `limit`; the arrays are of the kernels' memory. */
export class RowBasis {
  readonly rows: Float64Array;
  readonly size: number;
  readonly #kernels: Kernels;
  readonly #coefficients: Float64Array;
  #count = 0;

  constructor(kernels: Kernels, size: number, limit: number, allocate: (length: number) => Float64Array) {
    this.size = size;
    this.rows = allocate(limit * size);
    this.#kernels = kernels;
    this.#coefficients = allocate(limit);
  }

  get count(): number {
    return this.#count;
  }

  /** Row k, a view. */
  row(k: number): Float64Array {
    return this.rows.subarray(k * this.size, (k + 1) * this.size);
  }

  /** Takes from `x` its part in the rows; returns the norm that is left. */
  reduce(x: Float64Array): number {
    const { size, rows } = this;
    // Once is not enough where most of the vector goes; twice is.
    for (let pass = 0; pass < 2 && this.#count > 0; pass++) {
      this.#kernels.gemv(false, this.#count, size, 1, rows, size, x, 0, this.#coefficients);
      this.#kernels.gemv(true, this.#count, size, -1, rows, size, this.#coefficients, 1, x);
    }
    return this.#kernels.norm2(size, x);
  }

  /** Appends x / norm, which {@link reduce} has made orthogonal. */
  append(x: Float64Array, norm: number): void {
    const row = this.row(this.#count);
    for (let i = 0; i < this.size; i++) row[i] = x[i] / norm;
    this.#count += 1;
  }
}
