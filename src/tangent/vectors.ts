import type { Matrix } from "../base/matrix.ts";
import type { Compute, Scope } from "../compute/types.ts";
import { shapesOf, showShape, sizeOf } from "../network/architecture/index.ts";
import { throughSteps } from "./entries.ts";
import { forEqualRows } from "./equal-rows.ts";
import { checkLimit } from "./limit.ts";
import { type PairProgram, pairProgram } from "./pair-program.ts";
import { type Step, stepsOf } from "./steps.ts";
import type { KernelBlock, KernelEngine, KernelProblem } from "./types.ts";
import { type Variances, variancesOf } from "./variances.ts";

/** Entries of a panel: the two kernels of it take 64 MiB. */
const PANEL_ENTRIES = 1 << 22;
/** Edge of the squares in which results are mirrored. */
const SQUARE = 64;
/** Floating-point operations of a step on an entry: most of them for the angle. */
const STEP_OPERATIONS = 30;

/** Everything that the panels of a block share. */
interface Work {
  readonly compute: Compute;
  readonly X1: Matrix;
  /** The columns; X1 itself for a symmetric block. */
  readonly X2: Matrix;
  readonly symmetric: boolean;
  readonly ofRows: Variances;
  readonly ofCols: Variances;
  readonly nngp: Float64Array | null;
  readonly ntk: Float64Array | null;
}

/**
 * The kernels of fully connected networks on vectors: the recursion of Jacot et al. (2018) and Lee et al. (2018) with the
 * conventions of neural-tangents, K = x.x' / d at the start. Diagonals come from the variances alone, and equal inputs are diagonal.
 *
 * @throws ConfigError naming a layer that does not fit or has no kernel. Blocks throw RangeError for a wrong number of
 * features, DataError for inputs that are not finite, ConfigError where a kernel is infinite.
 */
export function vectorEngine(problem: KernelProblem): KernelEngine {
  const { architecture, input, kernels } = problem;
  if (input.length !== 1) throw new RangeError(`inputs of ${showShape(input)} are no vectors`);
  shapesOf(architecture, input);
  checkLimit(architecture);
  const steps = stepsOf(problem);
  const program = pairProgram(steps);
  const size = sizeOf(input);
  const panelRows = (rows: number, cols: number): number =>
    Math.min(rows, Math.ceil(PANEL_ENTRIES / Math.max(1, cols)));

  return {
    method: "vectors",
    operations: 2 * size + STEP_OPERATIONS * steps.length,
    bytes(rows, cols) {
      const panel = panelRows(rows, cols) * cols;
      return 8 * (kernels.length * rows * cols + 2 * panel + (size + 3 * steps.length) * (rows + cols));
    },
    block(compute, X1, X2) {
      for (const X of [X1, X2 ?? X1]) {
        if (X.cols !== size) throw new RangeError(`inputs of ${X.cols} numbers for a network on ${size}`);
      }
      const ofRows = variancesOf(steps, X1);
      const ofCols = X2 === null ? ofRows : variancesOf(steps, X2);
      const make = (name: "nngp" | "ntk"): Float64Array | null =>
        kernels.includes(name) ? new Float64Array(X1.rows * (X2 ?? X1).rows) : null;
      const block: KernelBlock = { nngp: make("nngp"), ntk: make("ntk") };
      const work: Work = { compute, X1, X2: X2 ?? X1, symmetric: X2 === null, ofRows, ofCols, ...block };
      panels(work, steps, program, panelRows(X1.rows, work.X2.rows));
      settleDiagonals(work);
      return block;
    },
  };
}

/** Fills the results panel by panel. */
function panels(work: Work, steps: readonly Step[], program: PairProgram | null, height: number): void {
  const { compute, X1, X2, symmetric, ofRows, ofCols } = work;
  const [cols, d] = [X2.rows, X2.cols];
  if (X1.rows === 0 || cols === 0) return;
  compute.scope((scope) => {
    const x2 = scope.copy(X2.data);
    const x1 = symmetric ? x2 : scope.copy(X1.data);
    const fused = program === null ? null : fusedProgram(scope, program, ofRows, symmetric ? null : ofCols);
    for (let from = 0; from < X1.rows; from += height) {
      const rows = Math.min(height, X1.rows - from);
      // Of a symmetric block, only entries at and below the diagonal count.
      const width = symmetric ? from + rows : cols;
      const whole = symmetric && width === rows;
      compute.scope((inner) => {
        const k = inner.f64(rows * width);
        const theta = inner.f64(rows * width);
        const part = x1.subarray(from * d, (from + rows) * d);
        if (whole) compute.syrk(false, rows, d, 1 / d, part, d, 0, k, width);
        else compute.gemm(false, true, rows, width, d, 1 / d, part, d, x2, d, 0, k, width);
        if (fused === null) throughSteps(steps, rows, width, from, ofRows, ofCols, k, theta);
        else {
          const { numbers, rowNumbers, rowStride, colNumbers, colStride } = fused;
          const ofPanel = rowNumbers.subarray(from);
          const target = work.ntk === null ? null : theta;
          compute.pairRecursion(
            whole,
            rows,
            width,
            numbers,
            ofPanel,
            rowStride,
            colNumbers,
            colStride,
            k,
            width,
            target,
            width,
          );
        }
        for (const [source, out] of [
          [k, work.nngp],
          [theta, work.ntk],
        ] as const) {
          if (out === null) continue;
          if (symmetric) mirror(source, from, rows, width, out, cols);
          else out.set(source, from * cols);
        }
      });
    }
  });
}

/** The program and the numbers of the inputs in the memory of the kernels. */
function fusedProgram(scope: Scope, program: PairProgram, ofRows: Variances, ofCols: Variances | null) {
  const rows = program.inputNumbers(ofRows);
  const rowNumbers = scope.copy(rows.numbers);
  const numbers = scope.copy(program.numbers);
  if (ofCols === null) {
    return { numbers, rowNumbers, rowStride: rows.stride, colNumbers: rowNumbers, colStride: rows.stride };
  }
  const cols = program.inputNumbers(ofCols);
  return { numbers, rowNumbers, rowStride: rows.stride, colNumbers: scope.copy(cols.numbers), colStride: cols.stride };
}

/** Copies entries j <= i of rows `from` .. `from + rows` to both triangles of the n x n matrix `out`, square by square. */
function mirror(source: Float64Array, from: number, rows: number, width: number, out: Float64Array, n: number): void {
  for (let i0 = 0; i0 < rows; i0 += SQUARE) {
    const i1 = Math.min(rows, i0 + SQUARE);
    for (let j0 = 0; j0 < from + i1; j0 += SQUARE) {
      for (let i = i0; i < i1; i++) {
        const row = from + i;
        const j1 = Math.min(j0 + SQUARE, row + 1);
        for (let j = j0; j < j1; j++) {
          const value = source[i * width + j]!;
          out[row * n + j] = value;
          out[j * n + row] = value;
        }
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
