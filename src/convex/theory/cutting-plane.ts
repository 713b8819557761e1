import { type Matrix, row } from "../../base/matrix.ts";
import type { TwoLayerNetwork } from "../../network/two-layer.ts";
import { type Column, type GenerationResult, generateNeurons, type OracleAnswer } from "./column-master.ts";
import { transposeTimes } from "./dense.ts";
import { hullNeuron } from "./extreme-points.ts";
import { neuronNetwork } from "./neurons.ts";
import { projectOnCone } from "./nonnegative.ts";

export interface CuttingPlaneOptions {
  /** Penalty of 1/2 ||f - y||^2 + beta sum |w|; null: minimize sum |w| subject to f = y. */
  readonly beta: number | null;
  /** `none`: Algorithm 1; `free`: Algorithm 3, hidden biases (and with them an output bias) free. */
  readonly bias: "none" | "free";
  /** First-order correction: begin with the neurons of Lemma 7, one a row that is a vertex of the data. Default false. */
  readonly correction?: boolean;
  readonly rounds?: number;
  readonly tolerance?: number;
}

export interface CuttingPlaneFit {
  readonly network: TwoLayerNetwork;
  /** Objective of the network: an upper bound of the global optimum. */
  readonly objective: number;
  /**
   * What the method takes for a dual bound: its oracle ranges over neurons that are active on every row, so this bounds the
   * global optimum only when the data are spike-free (and never with free biases).
   */
  readonly lowerBound: number;
  readonly rounds: number;
  /** The last dual point, scaled to satisfy the constraints that the oracle knows. */
  readonly v: Float64Array;
  /** Whether f = y was reached (always true with a penalty). */
  readonly feasible: boolean;
}

const ROUNDS = 200;
const TOLERANCE = 1e-10;
/** Projections below this part of a vector are zero. */
const NEGLIGIBLE = 1e-10;

/**
 * The cutting plane method of Ergen & Pilanci (arXiv:2002.11219), Algorithms 1 (no bias) and 3 (with bias), as the historical
 * method: each round adds the maximizers of +-v'(X u + b 1) over ||u|| <= 1, X u + b 1 >= 0, and solves for the dual point
 * over the current columns. Globally optimal for spike-free data (Proposition 2); otherwise an upper bound.
 *
 * Read with two corrections: step 5 imposes the constraints of the current columns, not of all u; and with biases v must sum
 * to zero. Then the maximization of Algorithm 3 has the closed form u = +-X'v / ||X'v||, b = max_i -x_i'u (any larger b is as
 * good), so all its neurons are affine on the data: by itself it fits affine functions, and everything else comes from the
 * first-order correction.
 *
 * @throws RangeError when y does not fit.
 */
export function cuttingPlane(X: Matrix, y: Float64Array, options: CuttingPlaneOptions): CuttingPlaneFit {
  if (y.length !== X.rows) throw new RangeError(`X has ${X.rows} rows, y ${y.length} entries`);
  const { beta, bias, correction = false, rounds = ROUNDS, tolerance = TOLERANCE } = options;
  const start: Column[] = [];
  for (let i = 0; correction && X.rows > 1 && i < X.rows; i++) {
    const neuron = hullNeuron(X, i);
    if (neuron !== null) start.push(columnOf(X, neuron.u, bias === "free" ? neuron.b : 0));
  }
  const found = generateNeurons({
    y,
    beta,
    offset: bias === "free",
    start,
    oracle: (v) => (bias === "free" ? affineOracle(X, v) : positiveOracle(X, v)),
    tolerance,
    rounds,
  });
  return { ...found, network: networkOfColumns(X.cols, found), objective: found.value };
}

/** The network of the columns and weights of a generation. */
export function networkOfColumns(
  d: number,
  { columns, w, c0 }: Pick<GenerationResult, "columns" | "w" | "c0">,
): TwoLayerNetwork {
  return neuronNetwork(
    d,
    columns.map(({ u, b }, j) => ({ u, b, w: w[j] })),
    c0,
  );
}

/** The activations of a neuron as a column. */
export function columnOf(X: Matrix, u: Float64Array, b: number): Column {
  const h = new Float64Array(X.rows);
  for (let i = 0; i < X.rows; i++) {
    const x = row(X, i);
    let z = b;
    for (let k = 0; k < X.cols; k++) z += x[k] * u[k];
    h[i] = Math.max(0, z);
  }
  return { h, u, b };
}

/** max of |v'X u| over X u >= 0, ||u|| <= 1: projections of +-X'v on the cone. */
export function positiveOracle(X: Matrix, v: Float64Array): OracleAnswer {
  const q = transposeTimes(X, v);
  const reach = Math.hypot(...q);
  const columns: Column[] = [];
  let maximum = 0;
  for (const sign of [1, -1]) {
    const u = projectOnCone(
      X,
      q.map((t) => sign * t),
    );
    const length = Math.hypot(...u);
    // A cone without such directions projects to rounding errors.
    if (length > NEGLIGIBLE * reach) {
      maximum = Math.max(maximum, length);
      columns.push(
        columnOf(
          X,
          u.map((t) => t / length),
          0,
        ),
      );
    }
  }
  return { columns, maximum };
}

/** The same with a free bias and sum v = 0: no constraint binds. */
function affineOracle(X: Matrix, v: Float64Array): OracleAnswer {
  const q = transposeTimes(X, v);
  const maximum = Math.hypot(...q);
  if (!(maximum > 0)) return { columns: [], maximum };
  const columns = [1, -1].map((sign) => {
    const u = q.map((t) => (sign * t) / maximum);
    let b = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < X.rows; i++) {
      const x = row(X, i);
      let z = 0;
      for (let k = 0; k < X.cols; k++) z += x[k] * u[k];
      b = Math.max(b, -z);
    }
    return columnOf(X, u, b);
  });
  return { columns, maximum };
}
