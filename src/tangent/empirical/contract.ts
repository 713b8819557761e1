import type { Compute, RealArray, Scope } from "../../compute/types.ts";
import type { AffineOperation } from "../../network/deep/index.ts";
import type { Arithmetic, Factor } from "./factors.ts";

/** Parameters whose products are summed in the precision of the arithmetic; longer sums are in f64. */
const STRETCH = 8192;

/** Where the products of two blocks of samples go. */
export interface Target {
  readonly out: Float64Array;
  /** Distance between rows of `out`, and the place of the block's first entry. */
  readonly stride: number;
  readonly at: number;
  /** Outputs c; entries are samples, or samples times outputs when `full`. */
  readonly outputs: number;
  readonly full: boolean;
  /** Whether the block lies on the diagonal of a symmetric kernel: entries above the diagonal need not be right. */
  readonly isDiagonal: boolean;
}

/** Samples of the two blocks. */
export interface Counts {
  readonly rows: number;
  readonly cols: number;
}

/** Adds the part of one layer to a block of the kernel: rows of `a` against those of `b`, the sum over outputs when not full. */
export function contract<A extends RealArray>(
  compute: Compute,
  arithmetic: Arithmetic<A>,
  a: Factor<A>,
  b: Factor<A>,
  counts: Counts,
  target: Target,
): void {
  if (counts.rows === 0 || counts.cols === 0) return;
  compute.scope((scope) => {
    if (a.part.by === "jacobian") jacobians(arithmetic, scope, a, b, counts, target);
    else if (a.part.by === "vectors") vectors(arithmetic, scope, a, b, counts, target);
    else patches(arithmetic, scope, a, b, counts, target);
  });
}

/** A product of matrices: rows x length times the transpose of cols x length, of which `count` columns are taken. */
interface Product<A extends RealArray> {
  readonly a: A;
  readonly b: A;
  readonly rows: number;
  readonly cols: number;
  readonly length: number;
  readonly count: number;
  readonly scale: number;
}

/** out <- scale A B', its lower half alone when the block is on the diagonal. */
function multiply<A extends RealArray>(
  { kernels }: Arithmetic<A>,
  { a, b, rows, cols, length, count, scale }: Product<A>,
  isDiagonal: boolean,
  out: A,
): void {
  if (isDiagonal) kernels.syrk(false, rows, count, scale, a, length, 0, out, cols);
  else kernels.gemm(false, true, rows, cols, count, scale, a, length, b, length, 0, out, cols);
}

/** The product of the rows of two factors: of all pairs of outputs when full, else summed over equal ones. */
function rowsProduct<A extends RealArray>(
  a: Factor<A>,
  b: Factor<A>,
  counts: Counts,
  { full, outputs }: Target,
): Product<A> {
  const each = full ? outputs : 1;
  const length = full ? a.width : outputs * a.width;
  const shape = { rows: counts.rows * each, cols: counts.cols * each, length, count: length };
  return { a: a.rows, b: b.rows, ...shape, scale: 1 };
}

function jacobians<A extends RealArray>(
  arithmetic: Arithmetic<A>,
  scope: Scope,
  a: Factor<A>,
  b: Factor<A>,
  counts: Counts,
  target: Target,
): void {
  const whole = rowsProduct(a, b, counts, target);
  const { rows, cols, length } = whole;
  const { out, at, stride, isDiagonal } = target;
  const product = arithmetic.array(scope, rows * cols);
  const stretch = arithmetic.bytes === 8 ? length : STRETCH;
  for (let from = 0; from < length; from += stretch) {
    const part = { a: whole.a.subarray(from) as A, b: whole.b.subarray(from) as A };
    multiply(arithmetic, { ...whole, ...part, count: Math.min(stretch, length - from) }, isDiagonal, product);
    for (let i = 0; i < rows; i++) {
      const last = isDiagonal ? i + 1 : cols;
      for (let j = 0; j < last; j++) out[at + i * stride + j] += product[i * cols + j];
    }
  }
}

/** (cotangents cotangents') o (scale^2 inputs inputs' + biasScale^2). */
function vectors<A extends RealArray>(
  arithmetic: Arithmetic<A>,
  scope: Scope,
  a: Factor<A>,
  b: Factor<A>,
  counts: Counts,
  target: Target,
): void {
  const { fanIn: length, scale, biasScale, hasBias } = a.part.affine as AffineOperation;
  const { out, at, stride, isDiagonal, full, outputs } = target;
  const gram = arithmetic.array(scope, counts.rows * counts.cols);
  const inputs = { a: a.inputs!, b: b.inputs!, ...counts, length, count: length, scale: scale ** 2 };
  multiply(arithmetic, inputs, isDiagonal, gram);
  const cotangents = rowsProduct(a, b, counts, target);
  const { rows, cols } = cotangents;
  const product = arithmetic.array(scope, rows * cols);
  multiply(arithmetic, cotangents, isDiagonal, product);
  const bias = hasBias ? biasScale ** 2 : 0;
  const c = full ? outputs : 1;
  for (let i = 0; i < rows; i++) {
    const sample = Math.floor(i / c) * counts.cols;
    const last = isDiagonal ? i + 1 : cols;
    for (let j = 0; j < last; j++) {
      out[at + i * stride + j] += (gram[sample + Math.floor(j / c)] + bias) * product[i * cols + j];
    }
  }
}

/** For each pair of samples sum_{pq} (cotangent_p . cotangent_q) (scale^2 patch_p . patch_q + biasScale^2). */
function patches<A extends RealArray>(
  arithmetic: Arithmetic<A>,
  scope: Scope,
  a: Factor<A>,
  b: Factor<A>,
  counts: Counts,
  { out, at, stride, outputs, full, isDiagonal }: Target,
): void {
  const { kernels } = arithmetic;
  const { rows: pixels, width, fanIn, size, scale, biasScale, hasBias } = a.part.affine as AffineOperation;
  const gram = arithmetic.array(scope, pixels * pixels);
  const spread = arithmetic.array(scope, outputs * size);
  const product = arithmetic.array(scope, full ? outputs * outputs : 0);
  const part = (array: A, i: number, length: number): A => array.subarray(i * length, (i + 1) * length) as A;
  for (let i = 0; i < counts.rows; i++) {
    const x = part(a.inputs!, i, pixels * fanIn);
    const left = part(a.rows, i, outputs * size);
    const last = isDiagonal ? i + 1 : counts.cols;
    for (let j = 0; j < last; j++) {
      const y = part(b.inputs!, j, pixels * fanIn);
      if (hasBias) gram.fill(biasScale ** 2);
      const beta = hasBias ? 1 : 0;
      kernels.gemm(false, true, pixels, pixels, fanIn, scale ** 2, x, fanIn, y, fanIn, beta, gram, pixels);
      for (let o = 0; o < outputs; o++) {
        const right = part(b.rows, j * outputs + o, size);
        kernels.gemm(
          false,
          false,
          pixels,
          width,
          pixels,
          1,
          gram,
          pixels,
          right,
          width,
          0,
          part(spread, o, size),
          width,
        );
      }
      if (!full) {
        out[at + i * stride + j] += kernels.dot(outputs * size, left, spread);
        continue;
      }
      kernels.gemm(false, true, outputs, outputs, size, 1, left, size, spread, size, 0, product, outputs);
      for (let o = 0; o < outputs; o++) {
        const row = at + (i * outputs + o) * stride + j * outputs;
        for (let q = 0; q < outputs; q++) out[row + q] += product[o * outputs + q];
      }
    }
  }
}
