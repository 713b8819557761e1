import type { Compute, Scope } from "../../compute/types.ts";
import { isActive, type Pattern } from "../patterns/pattern.ts";

/** F = [s_1 D_1 E, ..., s_m D_m E] for m patterns with signs and E (n x p), never formed. */
export class BlockOperator {
  readonly n: number;
  readonly p: number;
  readonly m: number;
  /** n x p. */
  readonly E: Float64Array;
  /** s_j D_j, m x n. */
  readonly gates: Float64Array;
  readonly #compute: Compute;
  readonly #products: Float64Array;

  constructor(
    compute: Compute,
    scope: Scope,
    E: Float64Array,
    shape: { readonly n: number; readonly p: number },
    blocks: readonly { readonly pattern: Pattern; readonly sign: 1 | -1 }[],
  ) {
    const { n, p } = shape;
    this.n = n;
    this.p = p;
    this.m = blocks.length;
    this.#compute = compute;
    this.E = scope.copy(E);
    this.gates = scope.f64(this.m * n);
    this.#products = scope.f64(this.m * n);
    blocks.forEach(({ pattern, sign }, j) => {
      for (let i = 0; i < n; i++) if (isActive(pattern, i)) this.gates[j * n + i] = sign;
    });
  }

  /** out (n) <- F A, for A (m x p). */
  forward(A: Float64Array, out: Float64Array): void {
    const { n, m, gates } = this;
    const products = this.#products;
    this.rows(A, products);
    out.fill(0, 0, n);
    for (let j = 0; j < m; j++) {
      const at = j * n;
      for (let i = 0; i < n; i++) out[i] += gates[at + i] * products[at + i];
    }
  }

  /** out (m x p) <- F' v + keep out. */
  adjoint(v: Float64Array, keep: number, out: Float64Array): void {
    const { n, p, m, gates } = this;
    const products = this.#products;
    for (let j = 0; j < m; j++) {
      const at = j * n;
      for (let i = 0; i < n; i++) products[at + i] = gates[at + i] * v[i];
    }
    this.#compute.gemm(false, false, m, p, n, 1, products, n, this.E, p, keep, out, p);
  }

  /** out (m x n) <- the products E a_j, whatever the patterns. */
  rows(A: Float64Array, out: Float64Array): void {
    const { n, p, m } = this;
    this.#compute.gemm(false, true, m, n, p, 1, A, p, this.E, p, 0, out, n);
  }
}
