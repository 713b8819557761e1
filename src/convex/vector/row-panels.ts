import { matrix, takeRows } from "../../base/matrix.ts";
import type { Compute, Scope } from "../../compute/types.ts";
import { outputsOf, vectorLoss } from "./core.ts";
import type { VectorLoss } from "./losses.ts";
import type { VectorProblem } from "./types.ts";

/** Rows of a panel of a full pass. */
const PANEL = 4096;
/** Rows are scaled to this root mean square length, which suits fixed learning rates. */
const ROW_LENGTH = 10;

/**
 * A problem of many rows in single precision: E = [X / scale, 1] (n x p; the ones column with a bias form other than
 * `none`), loss summed, beta to match. A point holds U (m x p), W (m x c), and c0 (c, with free biases).
 */
export interface LargeData {
  readonly problem: VectorProblem;
  readonly E: Float32Array;
  readonly n: number;
  readonly p: number;
  readonly c: number;
  readonly penalized: number;
  readonly freeBias: boolean;
  readonly scale: number;
  /** Subtracted from the columns of X (free biases only; zeros otherwise). */
  readonly shift: Float64Array;
  readonly beta: number;
}

/** A problem's rows in single precision. */
export function largeData(problem: VectorProblem): LargeData {
  const { X, bias, scaling, targets } = problem;
  const { rows: n, cols: d, data } = X;
  const p = bias === "none" ? d : d + 1;
  const freeBias = bias === "output";
  const shift = new Float64Array(d);
  if (freeBias) for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) shift[k] += data[i * d + k] / n;
  let square = bias === "column" ? n : 0;
  for (let i = 0; i < n; i++) for (let k = 0; k < d; k++) square += (data[i * d + k] - shift[k]) ** 2;
  const scale = square > 0 ? 2 ** Math.round(Math.log2(Math.sqrt(square / n) / ROW_LENGTH)) : 1;
  const E = new Float32Array(n * p);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) E[i * p + k] = (data[i * d + k] - shift[k]) / scale;
    if (p > d) E[i * p + d] = freeBias ? 1 : 1 / scale;
  }
  const beta = (problem.beta * (scaling === "mean" ? n : 1)) / scale;
  return { problem, E, n, p, c: outputsOf(targets), penalized: freeBias ? d : p, freeBias, scale, shift, beta };
}

/** The loss of some rows. */
export function lossOfRows({ X, targets, weights }: VectorProblem, rows: ArrayLike<number>): VectorLoss {
  const pick = (values: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: rows.length }, (_, k) => values[rows[k]!]!);
  return vectorLoss({
    X: matrix(rows.length, 0),
    targets:
      targets.loss === "squared"
        ? { loss: "squared", Y: takeRows(targets.Y, rows) }
        : { loss: "softmax", labels: pick(targets.labels), classes: targets.classes },
    ...(weights === undefined || X.rows === 0 ? {} : { weights: pick(weights) }),
  });
}

/** Loss and gradient over blocks of rows, through matrix products in single precision. */
export interface PanelObjective {
  readonly size: number;
  /** Objective (loss of all rows + penalty) and its gradient at x. */
  full(x: Float64Array, gradient: Float64Array): number;
  /** Gradient of the loss of these rows alone, times `factor`, plus the penalty's. */
  batch(x: Float64Array, chosen: Uint32Array, factor: number, gradient: Float64Array): void;
}

/** The objective of m neurons; its arrays, one panel of rows among them, live in `scope`. */
export function panelObjective(
  compute: Compute,
  scope: Scope,
  large: LargeData,
  m: number,
  batchRows?: number,
): PanelObjective {
  const { problem, E, n, p, c, penalized, freeBias, beta } = large;
  const { f32 } = compute;
  const size = m * (p + c) + (freeBias ? c : 0);
  const most = batchRows ?? Math.min(PANEL, n);
  const U = scope.f32(m * p);
  const W = scope.f32(m * c);
  const A = scope.f32(most * m);
  const pull = scope.f32(most * m);
  const F = scope.f32(most * c);
  const V = scope.f32(most * c);
  const gU = scope.f32(m * p);
  const gW = scope.f32(m * c);
  const rows = scope.f32(most * p);
  const predictions = new Float64Array(most * c);
  const duals = new Float64Array(most * c);
  /** Adds the gradient of the loss over the first rows of `rows` to gU, gW and c0's part of `gradient`; leaves the predictions. */
  const accumulate = (loss: VectorLoss, factor: number, x: Float64Array, gradient: Float64Array): void => {
    const count = loss.n;
    f32.gemm(false, true, count, m, p, 1, rows, p, U, p, 0, A, m);
    f32.relu(count * m, A, A);
    f32.gemm(false, false, count, c, m, 1, A, m, W, c, 0, F, c);
    for (let k = 0; k < count * c; k++) predictions[k] = F[k] + (freeBias ? x[m * (p + c) + (k % c)] : 0);
    loss.negativeGradient(predictions, duals);
    for (let k = 0; k < count * c; k++) {
      V[k] = factor * duals[k];
      if (freeBias) gradient[m * (p + c) + (k % c)] -= factor * duals[k];
    }
    f32.gemm(true, false, m, c, count, -1, A, m, V, c, 1, gW, c);
    f32.gemm(false, true, count, m, c, 1, V, c, W, c, 0, pull, m);
    f32.reluMask(count * m, A, pull, pull);
    f32.gemm(true, false, m, p, count, -1, pull, m, rows, p, 1, gU, p);
  };
  const begin = (x: Float64Array, gradient: Float64Array): void => {
    U.set(x.subarray(0, m * p));
    W.set(x.subarray(m * p, m * (p + c)));
    gU.fill(0);
    gW.fill(0);
    gradient.fill(0);
  };
  /** Writes gU and gW and adds the penalty's gradient; returns the penalty. */
  const finish = (x: Float64Array, gradient: Float64Array): number => {
    let penalty = 0;
    for (let k = 0; k < m * (p + c); k++) {
      const counted = k >= m * p || k % p < penalized ? x[k] : 0;
      penalty += counted * counted;
      gradient[k] = (k < m * p ? gU[k] : gW[k - m * p]) + beta * counted;
    }
    return (beta / 2) * penalty;
  };
  return {
    size,
    full(x, gradient) {
      begin(x, gradient);
      let value = 0;
      for (let from = 0; from < n; from += most) {
        const count = Math.min(most, n - from);
        const loss = lossOfRows(
          problem,
          Uint32Array.from({ length: count }, (_, i) => from + i),
        );
        rows.set(E.subarray(from * p, (from + count) * p));
        accumulate(loss, 1, x, gradient);
        value += loss.value(predictions);
      }
      return value + finish(x, gradient);
    },
    batch(x, chosen, factor, gradient) {
      begin(x, gradient);
      for (let k = 0; k < chosen.length; k++) rows.set(E.subarray(chosen[k] * p, (chosen[k] + 1) * p), k * p);
      accumulate(lossOfRows(problem, chosen), factor, x, gradient);
      finish(x, gradient);
    },
  };
}
