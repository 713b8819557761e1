import type { Compute, Scope } from "../compute/index.ts";

/** Vectors of a basis that are allocated, and orthogonalized against, together. */
const BLOCK = 32;
/** A residual of which so little is left is in the space of the basis. */
const EXHAUSTED = 1e-14;

/** Eigenvalues (ascending) of the tridiagonal matrix of a basis, and the first and last entries of its eigenvectors. */
export interface RitzValues {
  readonly values: Float64Array;
  /** Row-major, column k belongs to value k. */
  readonly vectors: Float64Array;
}

/**
 * An orthonormal basis v_1, v_2, ... of the space of b, A b, A^2 b, ... for a symmetric A (the Lanczos method with full
 * orthogonalization): A V = V H + length v_next e_m', with H tridiagonal. The caller makes the products with A.
 */
export class KrylovBasis {
  /** |b|. */
  readonly norm: number;
  /** The diagonal of H, and what is beside it; `off` has as many entries, the last one the length of what H leaves. */
  readonly diagonal: number[] = [];
  readonly off: number[] = [];
  /** Whether the space is as large as it gets: A maps it into itself. */
  isWhole = false;
  readonly #compute: Compute;
  readonly #scope: Scope;
  readonly #n: number;
  readonly #blocks: Float64Array[] = [];
  readonly #next: Float64Array;
  readonly #coefficients: Float64Array;
  #length: number;
  #size = 0;

  /** @throws RangeError when b is zero or not finite. The basis lives as long as the scope. */
  constructor(compute: Compute, scope: Scope, b: Float64Array) {
    this.#compute = compute;
    this.#scope = scope;
    this.#n = b.length;
    this.#next = scope.copy(b);
    this.#coefficients = scope.f64(BLOCK);
    this.norm = compute.norm2(b.length, this.#next);
    this.#length = this.norm;
    if (!(this.norm > 0 && Number.isFinite(this.norm)))
      throw new RangeError(`a residual of size ${this.norm} has no spectrum`);
  }

  /** Vectors so far. */
  get count(): number {
    return this.diagonal.length;
  }

  /** The vector that A is to be multiplied with next, in the memory of the kernels. */
  next(): Float64Array {
    const at = this.count % BLOCK;
    if (at === 0) this.#blocks.push(this.#scope.f64(BLOCK * this.#n));
    const v = this.#blocks.at(-1)!.subarray(at * this.#n, (at + 1) * this.#n);
    for (let i = 0; i < v.length; i++) v[i] = this.#next[i] / this.#length;
    return v;
  }

  /** Takes A v for the vector v that {@link next} gave. */
  extend(product: Float64Array): void {
    const compute = this.#compute;
    const n = this.#n;
    const w = this.#next;
    w.set(product);
    this.#size = Math.max(this.#size, compute.norm2(n, w));
    const at = this.count % BLOCK;
    this.diagonal.push(compute.dot(n, this.#blocks.at(-1)!.subarray(at * n, (at + 1) * n), w));
    // Twice is enough.
    for (let pass = 0; pass < 2; pass++) {
      this.#blocks.forEach((block, k) => {
        const count = Math.min(BLOCK, this.count - k * BLOCK);
        compute.gemv(false, count, n, 1, block, n, w, 0, this.#coefficients);
        compute.gemv(true, count, n, -1, block, n, this.#coefficients, 1, w);
      });
    }
    this.#length = compute.norm2(n, w);
    this.isWhole = this.count === n || this.#length <= EXHAUSTED * this.#size * n;
    this.off.push(this.#length);
  }

  /** out (n entries) <- V times m coefficients. */
  combine(coefficients: Float64Array, out: Float64Array): void {
    const compute = this.#compute;
    compute.scope((scope) => {
      const sum = scope.f64(this.#n);
      this.#blocks.forEach((block, k) => {
        const part = scope.copy(coefficients.subarray(k * BLOCK, (k + 1) * BLOCK));
        if (part.length > 0) compute.gemv(true, part.length, this.#n, 1, block, this.#n, part, 1, sum);
      });
      out.set(sum);
    });
  }
}

/** All eigenvalues and eigenvectors of a symmetric tridiagonal matrix; `off` has one entry less. */
export function tridiagonalEigen(compute: Compute, diagonal: readonly number[], off: readonly number[]): RitzValues {
  const k = diagonal.length;
  return compute.scope((scope) => {
    const a = scope.f64(k * k);
    diagonal.forEach((value, i) => {
      a[i * (k + 1)] = value;
    });
    off.forEach((value, i) => {
      a[i * k + i + 1] = value;
      a[(i + 1) * k + i] = value;
    });
    const values = scope.f64(k);
    compute.symmetricEigen(k, a, k, values);
    return { values: values.slice(), vectors: a.slice() };
  });
}
