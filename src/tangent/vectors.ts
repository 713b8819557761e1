import { ConfigError } from "../base/errors.ts";
import type { Matrix } from "../base/matrix.ts";
import type { Compute, RealArray, RealKernels, Scope } from "../compute/types.ts";
import { shapesOf, showShape, sizeOf } from "../network/architecture/index.ts";
import { forEqualRows } from "./equal-rows.ts";
import { checkLimit } from "./limit.ts";
import { type PairProgram, pairProgram } from "./pair-program.ts";
import { stepsOf } from "./steps.ts";
import {
  bytesOf,
  type EngineOptions,
  type KernelEngine,
  type KernelName,
  type KernelProblem,
  type MakeEngine,
  type Precision,
} from "./types.ts";
import { type Variances, variancesOf } from "./variances.ts";

/** Entries of a panel: the two kernels of it take 16 MiB, which a processor's last cache holds. */
const PANEL_ENTRIES = 1 << 20;
/** Edge of the squares in which results are mirrored. */
const SQUARE = 32;
/** Floating-point operations of a step on an entry: most of them for the angle. */
const STEP_OPERATIONS = 30;

const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127;

/** Everything that the panels of a block share. */
interface Work {
  readonly X1: Matrix;
  /** The columns; X1 itself for a symmetric block. */
  readonly X2: Matrix;
  readonly symmetric: boolean;
  readonly ofRows: Variances;
  readonly ofCols: Variances;
  readonly nngp: RealArray | null;
  readonly ntk: RealArray | null;
}

/**
 * The kernels of fully connected networks on vectors: the recursion of Jacot et al. (2018) and Lee et al. (2018) with the
 * conventions of neural-tangents, K = x.x' / d at the start. Diagonals come from the variances alone, and equal inputs are diagonal.
 * With products in f32, they are those of inputs of norm 1.
 *
 * @throws ConfigError naming a layer that does not fit or has no kernel. Blocks throw RangeError for a wrong number of
 * features, DataError for inputs that are not finite, ConfigError where a kernel is infinite in the precision asked for.
 */
export const vectorEngine = ((problem: KernelProblem, options: EngineOptions = {}): KernelEngine<RealArray> => {
  const { architecture, input, kernels } = problem;
  if (input.length !== 1) throw new RangeError(`inputs of ${showShape(input)} are no vectors`);
  shapesOf(architecture, input);
  checkLimit(architecture);
  const steps = stepsOf(problem);
  const { precision = "f64", accumulation = precision } = options;
  const single = precision === "f32" && accumulation === "f32";
  const program = pairProgram(steps, single);
  const size = sizeOf(input);
  // A multiple of four, as the kernels want the first of the columns of a panel.
  const panelRows = (rows: number, cols: number): number =>
    Math.min(rows, 4 * Math.ceil(PANEL_ENTRIES / 4 / Math.max(1, cols)));

  return {
    precision,
    method: "vectors",
    operations: 2 * size + STEP_OPERATIONS * steps.length,
    bytes(rows, cols) {
      const results = bytesOf(precision) * kernels.length * rows * cols;
      const width = single ? 4 : 8;
      const panel = width * 2 * panelRows(rows, cols) * cols;
      return results + panel + (width * size + 24 * steps.length) * (rows + cols);
    },
    block(compute, X1, X2) {
      for (const X of [X1, X2 ?? X1]) {
        if (X.cols !== size) throw new RangeError(`inputs of ${X.cols} numbers for a network on ${size}`);
      }
      const ofRows = variancesOf(steps, X1);
      const ofCols = X2 === null ? ofRows : variancesOf(steps, X2);
      const make = (name: KernelName): RealArray | null => {
        if (!kernels.includes(name)) return null;
        const length = X1.rows * (X2 ?? X1).rows;
        for (const { [name]: diagonal } of [ofRows, ofCols]) checkRange(diagonal, precision);
        return precision === "f32" ? new Float32Array(length) : new Float64Array(length);
      };
      const block = { nngp: make("nngp"), ntk: make("ntk") };
      const work: Work = { X1, X2: X2 ?? X1, symmetric: X2 === null, ofRows, ofCols, ...block };
      const height = panelRows(X1.rows, work.X2.rows);
      if (X1.rows > 0 && work.X2.rows > 0) {
        compute.scope((scope) => {
          if (single)
            panels(compute, compute.f32, singleInputs(scope), (inner, n) => inner.f32(n), work, program, height);
          else
            panels<Float64Array>(
              compute,
              compute,
              doubleInputs(scope),
              (inner, n) => inner.f64(n),
              work,
              program,
              height,
            );
        });
      }
      settleDiagonals(work);
      return block;
    },
  };
}) as MakeEngine;

/** Inputs in the memory of the kernels, and the factor of their products that gives what the program begins with. */
interface Inputs<A extends RealArray> {
  readonly alpha: (size: number) => number;
  copy(X: Matrix, variances: Variances): A;
}

const doubleInputs = (scope: Scope): Inputs<Float64Array> => ({
  alpha: (size) => 1 / size,
  copy: (X) => scope.copy(X.data),
});

/** Rows of norm 1, whose products neither overflow nor vanish. */
const singleInputs = (scope: Scope): Inputs<Float32Array> => ({
  alpha: () => 1,
  copy({ rows, cols, data }, { start }) {
    const out = scope.f32(rows * cols);
    for (let i = 0; i < rows; i++) {
      const norm = Math.sqrt(start[i]!) * Math.sqrt(cols);
      if (norm > 0) for (let j = i * cols; j < (i + 1) * cols; j++) out[j] = data[j]! / norm;
    }
    return out;
  },
});

/** Off the diagonal, kernels are not larger than on it. */
function checkRange(diagonal: Float64Array, precision: Precision): void {
  if (precision === "f64") return;
  const row = diagonal.findIndex((value) => value > LARGEST_F32);
  if (row < 0) return;
  throw new ConfigError(
    `the kernel of input ${row + 1}, ${diagonal[row]!.toPrecision(3)}, is infinite in single precision`,
    {
      code: "kernel-infinite",
      hint: "standardize the inputs, or use f64",
    },
  );
}

/** Fills the results panel by panel, with `kernels` of the precision of the products. */
function panels<A extends RealArray>(
  compute: Compute,
  kernels: RealKernels<A>,
  { alpha, copy }: Inputs<A>,
  make: (scope: Scope, length: number) => A,
  work: Work,
  program: PairProgram,
  height: number,
): void {
  const { X1, X2, symmetric, ofRows, ofCols } = work;
  const [cols, d] = [X2.rows, X2.cols];
  const scale = alpha(d);
  compute.scope((scope) => {
    const x2 = copy(X2, ofCols);
    const x1 = symmetric ? x2 : copy(X1, ofRows);
    const { numbers, rowNumbers, rowStride, colNumbers, colStride } = programIn(
      scope,
      program,
      ofRows,
      symmetric ? null : ofCols,
    );
    for (let from = 0; from < X1.rows; from += height) {
      const rows = Math.min(height, X1.rows - from);
      // Of a symmetric block, only entries at and below the diagonal: left of a square, and the lower half of the square.
      const width = symmetric ? from + rows : cols;
      const left = symmetric ? from : cols;
      compute.scope((inner) => {
        const k = make(inner, rows * width);
        const theta = work.ntk === null ? null : make(inner, rows * width);
        const part = x1.subarray(from * d, (from + rows) * d) as A;
        const ofPanel = rowNumbers.subarray(from);
        const advance = (lower: boolean, first: number, count: number): void => {
          const behind = (all: A): A => all.subarray(first) as A;
          const ofPart = [numbers, ofPanel, rowStride, colNumbers.subarray(first), colStride] as const;
          const to = theta === null ? null : behind(theta);
          kernels.pairRecursion(lower, rows, count, ...ofPart, behind(k), width, to, width);
        };
        if (left > 0) {
          kernels.gemm(false, true, rows, left, d, scale, part, d, x2, d, 0, k, width);
          advance(false, 0, left);
        }
        if (symmetric) {
          kernels.syrk(false, rows, d, scale, part, d, 0, k.subarray(from) as A, width);
          advance(true, from, rows);
        }
        for (const [source, out] of [
          [k, work.nngp],
          [theta, work.ntk],
        ] as const) {
          if (source === null || out === null) continue;
          if (symmetric) mirror(source, from, rows, width, out, cols);
          else out.set(source, from * cols);
        }
      });
    }
  });
}

/** The program and the numbers of the inputs in the memory of the kernels. */
function programIn(scope: Scope, program: PairProgram, ofRows: Variances, ofCols: Variances | null) {
  const rows = program.inputNumbers(ofRows);
  const rowNumbers = scope.copy(rows.numbers);
  const numbers = scope.copy(program.numbers);
  if (ofCols === null) {
    return { numbers, rowNumbers, rowStride: rows.stride, colNumbers: rowNumbers, colStride: rows.stride };
  }
  const cols = program.inputNumbers(ofCols);
  return { numbers, rowNumbers, rowStride: rows.stride, colNumbers: scope.copy(cols.numbers), colStride: cols.stride };
}

/** Copies entries j <= i of rows `from` .. `from + rows` to both triangles of the n x n matrix `out`. */
function mirror(source: RealArray, from: number, rows: number, width: number, out: RealArray, n: number): void {
  for (let i = 0; i < rows; i++) out.set(source.subarray(i * width, i * width + from + i + 1), (from + i) * n);
  // The transpose square by square; its rows are written in order, as fresh memory likes it.
  for (let j0 = 0; j0 < from + rows; j0 += SQUARE) {
    const j1 = Math.min(from + rows, j0 + SQUARE);
    for (let i0 = Math.max(0, j0 - from); i0 < rows; i0 += SQUARE) {
      const i1 = Math.min(rows, i0 + SQUARE);
      for (let j = j0; j < j1; j++) {
        const to = j * n + from;
        for (let i = Math.max(i0, j - from + 1); i < i1; i++) out[to + i] = source[i * width + j]!;
      }
    }
  }
}

/** Entries of an input with itself or an equal one, exactly. */
function settleDiagonals({ X1, X2, symmetric, ofRows, nngp, ntk }: Work): void {
  const cols = X2.rows;
  const settle = (i: number, j: number): void => {
    if (nngp !== null) nngp[i * cols + j] = ofRows.nngp[i]!;
    if (ntk !== null) ntk[i * cols + j] = ofRows.ntk[i]!;
  };
  if (symmetric) for (let i = 0; i < cols; i++) settle(i, i);
  forEqualRows(X1, symmetric ? null : X2, (i, j) => {
    settle(i, j);
    if (symmetric) settle(j, i);
  });
}
