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

/** Rows, columns and length of the matrices whose product is wanted. */
function productShape<A extends RealArray>(
  a: Factor<A>,
  counts: Counts,
  { full, outputs }: Target,
): [number, number, number] {
  return full ? [counts.rows * outputs, counts.cols * outputs, a.width] : [counts.rows, counts.cols, outputs * a.width];
}

/** product <- A[:, from .. from + count] B[:, the same]', its lower half when the block is on the diagonal. */
function multiply<A extends RealArray>(
  { kernels }: Arithmetic<A>,
  a: A,
  b: A,
  [rows, cols, length]: readonly [number, number, number],
  from: number,
  count: number,
  isDiagonal: boolean,
  product: A,
): void {
  const left = a.subarray(from) as A;
  if (isDiagonal) kernels.syrk(false, rows, count, 1, left, length, 0, product, cols);
  else kernels.gemm(false, true, rows, cols, count, 1, left, length, b.subarray(from) as A, length, 0, product, cols);
}

/** Adds factor(i, j) product(i, j) to the block. */
function add<A extends RealArray>(
  product: A,
  rows: number,
  cols: number,
  { out, at, stride, isDiagonal }: Target,
  factor: (i: number, j: number) => number,
): void {
  for (let i = 0; i < rows; i++) {
    const last = isDiagonal ? i + 1 : cols;
    for (let j = 0; j < last; j++) out[at + i * stride + j] += factor(i, j) * product[i * cols + j];
  }
}

function jacobians<A extends RealArray>(
  arithmetic: Arithmetic<A>,
  scope: Scope,
  a: Factor<A>,
  b: Factor<A>,
  counts: Counts,
  target: Target,
): void {
  const shape = productShape(a, counts, target);
  const [rows, cols, length] = shape;
  const product = arithmetic.array(scope, rows * cols);
  const stretch = arithmetic.bytes === 8 ? length : STRETCH;
  for (let from = 0; from < length; from += stretch) {
    const count = Math.min(stretch, length - from);
    multiply(arithmetic, a.rows, b.rows, shape, from, count, target.isDiagonal, product);
    add(product, rows, cols, target, () => 1);
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
  const { kernels } = arithmetic;
  const { fanIn, scale, biasScale, hasBias } = a.part.affine as AffineOperation;
  const shape = productShape(a, counts, target);
  const [rows, cols, length] = shape;
  const product = arithmetic.array(scope, rows * cols);
  const gram = arithmetic.array(scope, counts.rows * counts.cols);
  const bias = hasBias ? biasScale ** 2 : 0;
  kernels.gemm(
    false,
    true,
    counts.rows,
    counts.cols,
    fanIn,
    scale ** 2,
    a.inputs!,
    fanIn,
    b.inputs!,
    fanIn,
    0,
    gram,
    counts.cols,
  );
  multiply(arithmetic, a.rows, b.rows, shape, 0, length, target.isDiagonal, product);
  const c = target.full ? target.outputs : 1;
  add(product, rows, cols, target, (i, j) => gram[Math.floor(i / c) * counts.cols + Math.floor(j / c)] + bias);
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
