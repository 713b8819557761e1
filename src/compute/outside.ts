import { requireMatrix } from "./shapes.ts";
import type { Compute, RealArray, Scope } from "./types.ts";
import { patternWords } from "./types.ts";

/** Bytes that a panel and its share of the other arrays take: kernels run at full speed from a fraction of it on. */
const PANEL_BYTES = 1 << 25;
/** Panels begin at multiples of this, so that each has whole words of the bit-packed patterns. */
const UNIT = 32;

/**
 * Products with a matrix X that is too large for the kernel memory. The kernels see a panel of its rows at a time, in
 * f64 whatever X is stored in; vectors and matrices of rows x k are cut in the same way, those of cols x k are in the
 * kernel memory while a product runs. All arrays may be ordinary ones. Shapes, transposition, alpha and beta are as for
 * the kernels of the same names; a short array is a RangeError that names the shapes.
 */
export interface OutsideMatrix {
  readonly rows: number;
  readonly cols: number;
  /** C <- alpha op(X) B + beta C, B and C with k columns. */
  gemm(trans: boolean, k: number, alpha: number, b: Float64Array, beta: number, c: Float64Array): void;
  /** C (cols x cols, both triangles) <- X^T X. */
  gram(c: Float64Array): void;
  /** y <- alpha op(X) x + beta y. */
  gemv(trans: boolean, alpha: number, x: Float64Array, beta: number, y: Float64Array): void;
  /** y <- X^T (X x), reading X once. */
  normalProduct(x: Float64Array, y: Float64Array): void;
  /** out_i <- sum_p D_p(i) x_i . v_p, V p x cols. */
  gatedForward(p: number, patterns: Uint32Array, v: Float64Array, out: Float64Array): void;
  /** Row p of out (p x cols) <- X^T (D_p r). */
  gatedAdjoint(p: number, patterns: Uint32Array, r: Float64Array, out: Float64Array): void;
  /** Bit-packed patterns D_p(i) = [x_i . g_p > 0] of the rows g_p of G (p x cols). */
  activationPatterns(p: number, g: Float64Array, out: Uint32Array): void;
}

/** A panel: rows `first` .. `first + rows` of X, in the memory of the kernels. */
interface Panel {
  readonly x: Float64Array;
  readonly first: number;
  readonly rows: number;
  readonly scope: Scope;
}

/**
 * The products of a row-major matrix outside the kernel memory, which may be of any size that fits an array.
 *
 * @throws RangeError when `data` is too short for the shape.
 */
export function outsideMatrix(compute: Compute, rows: number, cols: number, data: RealArray): OutsideMatrix {
  requireMatrix("outsideMatrix", "X", rows, cols, data, cols);
  const words = patternWords(rows);

  /** Panel by panel, at least one; `besides` is what the caller keeps in the kernel memory for each row of X. */
  const forPanels = (besides: number, body: (panel: Panel) => void): void => {
    // Half of what is left is for the kernels' own sums.
    const room = Math.min(PANEL_BYTES, (compute.memoryLimit - compute.bytesInUse) / 2);
    const fitting = Math.floor(room / (8 * (cols + besides)) / UNIT) * UNIT;
    const height = Math.max(UNIT, fitting);
    let first = 0;
    do {
      const count = Math.min(height, rows - first);
      compute.scope((scope) => {
        const x = scope.copy(data.subarray(first * cols, (first + count) * cols));
        body({ x, first, rows: count, scope });
      });
      first += count;
    } while (first < rows);
  };
  const need = (what: string, name: string, height: number, width: number, array: ArrayLike<number>): void =>
    requireMatrix(`outsideMatrix.${what}`, name, height, width, array, width);
  /** The patterns of a panel, p x its words. */
  const panelPatterns = ({ scope, first, rows: count }: Panel, p: number, patterns: Uint32Array): Uint32Array => {
    const part = scope.u32(p * patternWords(count));
    const width = patternWords(count);
    for (let q = 0; q < p; q++) {
      const from = q * words + first / UNIT;
      part.set(patterns.subarray(from, from + width), q * width);
    }
    return part;
  };

  const gemm: OutsideMatrix["gemm"] = (trans, k, alpha, b, beta, c) => {
    need("gemm", "B", trans ? rows : cols, k, b);
    need("gemm", "C", trans ? cols : rows, k, c);
    compute.scope((outer) => {
      const inner = outer.copy((trans ? c : b).subarray(0, cols * k));
      forPanels(k, ({ x, first, rows: count, scope }) => {
        const part = scope.copy((trans ? b : c).subarray(first * k, (first + count) * k));
        if (trans) {
          compute.gemm(true, false, cols, k, count, alpha, x, cols, part, k, first === 0 ? beta : 1, inner, k);
        } else {
          compute.gemm(false, false, count, k, cols, alpha, x, cols, inner, k, beta, part, k);
          c.set(part, first * k);
        }
      });
      if (trans) c.set(inner);
    });
  };

  return {
    rows,
    cols,
    gemm,
    gram(c) {
      need("gram", "C", cols, cols, c);
      compute.scope((outer) => {
        const sum = outer.f64(cols * cols);
        forPanels(0, ({ x, first, rows: count }) => {
          compute.syrk(true, cols, count, 1, x, cols, first === 0 ? 0 : 1, sum, cols);
        });
        for (let i = 0; i < cols; i++) for (let j = 0; j < i; j++) sum[j * cols + i] = sum[i * cols + j]!;
        c.set(sum);
      });
    },
    gemv: (trans, alpha, x, beta, y) => gemm(trans, 1, alpha, x, beta, y),
    normalProduct(x, y) {
      need("normalProduct", "x", cols, 1, x);
      need("normalProduct", "y", cols, 1, y);
      compute.scope((outer) => {
        const vector = outer.copy(x.subarray(0, cols));
        const sum = outer.f64(cols);
        const part = outer.f64(cols);
        forPanels(0, (panel) => {
          compute.normalProduct(panel.rows, cols, panel.x, cols, vector, part);
          compute.axpy(cols, 1, part, sum);
        });
        y.set(sum);
      });
    },
    gatedForward(p, patterns, v, out) {
      need("gatedForward", "patterns", p, words, patterns);
      need("gatedForward", "V", p, cols, v);
      need("gatedForward", "out", rows, 1, out);
      compute.scope((outer) => {
        const weights = outer.copy(v.subarray(0, p * cols));
        forPanels(1 + p / 64, (panel) => {
          const part = panel.scope.f64(panel.rows);
          compute.gatedForward(panel.rows, cols, p, panel.x, panelPatterns(panel, p, patterns), weights, part);
          out.set(part, panel.first);
        });
      });
    },
    gatedAdjoint(p, patterns, r, out) {
      need("gatedAdjoint", "patterns", p, words, patterns);
      need("gatedAdjoint", "r", rows, 1, r);
      need("gatedAdjoint", "out", p, cols, out);
      compute.scope((outer) => {
        const sum = outer.f64(p * cols);
        const part = outer.f64(p * cols);
        forPanels(1 + p / 64, (panel) => {
          const residual = panel.scope.copy(r.subarray(panel.first, panel.first + panel.rows));
          compute.gatedAdjoint(panel.rows, cols, p, panel.x, panelPatterns(panel, p, patterns), residual, part);
          compute.axpy(p * cols, 1, part, sum);
        });
        out.set(sum);
      });
    },
    activationPatterns(p, g, out) {
      need("activationPatterns", "G", p, cols, g);
      need("activationPatterns", "patterns", p, words, out);
      compute.scope((outer) => {
        const gates = outer.copy(g.subarray(0, p * cols));
        forPanels(p / 64, (panel) => {
          const width = patternWords(panel.rows);
          const bits = panel.scope.u32(p * width);
          compute.activationPatterns(panel.rows, cols, p, panel.x, gates, bits);
          for (let q = 0; q < p; q++) {
            out.set(bits.subarray(q * width, (q + 1) * width), q * words + panel.first / UNIT);
          }
        });
      });
    },
  };
}
