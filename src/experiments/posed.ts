import { type Matrix, matrix, takeRows } from "../base/matrix.ts";
import {
  networkObjective,
  type Solution,
  type SolveEvent,
  type SolveOptions,
  solveConvex,
  solveVector,
  type VectorProblem,
  vectorBetaMax,
  vectorObjective,
} from "../convex/index.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import { centeredBetaMax, largestBetaMax, type PosedProblem, takeProblem } from "./beta-scale.ts";
import { softmaxLosses } from "./metrics.ts";
import { column, rowLosses } from "./problem.ts";

/** What a solve of a {@link Part} found. */
export interface PartSolution
  extends Pick<
    Solution,
    | "status"
    | "network"
    | "objective"
    | "lowerBound"
    | "gap"
    | "scope"
    | "method"
    | "patterns"
    | "iterations"
    | "seconds"
    | "listed"
    | "proof"
  > {
  /** Dual point and maximum of one output, with its targets y; null where outputs share neurons. */
  readonly dual: (Solution["dual"] & { readonly y: Float64Array }) | null;
}

/** What is trained by itself: one output, or several that share their neurons. */
export interface Part {
  /** The target's name, or the class that this output is for. */
  readonly name: string;
  /** How many outputs share its neurons. */
  readonly outputs: number;
  solve(beta: number, options: SolveOptions): Generator<SolveEvent, PartSolution>;
  /** Training objective of a network, in f64 from its weights. */
  objective(beta: number, network: TwoLayerNetwork): number;
}

/** A training problem but for its beta. */
export interface Posed {
  /** n x d. */
  readonly X: Matrix;
  readonly scaling: PosedProblem["scaling"];
  /** n sample weights; null: all 1. */
  readonly weights: Float64Array | null;
  readonly parts: readonly Part[];
  /** The same problem over some of its rows. */
  take(rows: ArrayLike<number>): Posed;
  /** The largest beta_max of the parts. */
  betaMax(options: SolveOptions): number;
  /** The same for targets less their means. */
  centeredBetaMax(seed: number, options: SolveOptions): number;
  /** False where a free output bias has no optimum: a class without rows. */
  readonly isPosable: boolean;
  /** The loss of each row at outputs n x c, without sample weights. */
  rowLosses(F: Matrix): Float64Array;
}

/** One problem for each output: networks of their own. Y is n x c. */
export function poseApart(problem: PosedProblem, Y: Matrix, names: readonly string[]): Posed {
  return {
    X: problem.X,
    scaling: problem.scaling,
    weights: problem.weights ?? null,
    parts: names.map((name, q): Part => {
      const y = column(Y, q);
      return {
        name,
        outputs: 1,
        *solve(beta, options) {
          const solution = yield* solveConvex({ ...problem, y, beta }, options);
          return { ...solution, dual: { ...solution.dual, y } };
        },
        objective: (beta, network) => networkObjective({ ...problem, y, beta }, network),
      };
    }),
    take: (rows) => poseApart(takeProblem(problem, rows), takeRows(Y, rows), names),
    betaMax: (options) => largestBetaMax(problem, Y, options),
    centeredBetaMax: (seed, options) =>
      Math.max(...names.map((_, q) => centeredBetaMax(problem, column(Y, q), seed, options))),
    isPosable: true,
    rowLosses: (F) => rowLosses(problem, F, Y),
  };
}

/** One problem for all outputs, whose networks share their neurons. */
export function poseShared(problem: Omit<VectorProblem, "beta">, name: string): Posed {
  const { X, targets, scaling, weights } = problem;
  const part: Part = {
    name,
    outputs: targets.loss === "squared" ? targets.Y.cols : targets.classes,
    *solve(beta, options) {
      const solution = yield* solveVector({ ...problem, beta }, options);
      return { ...solution, patterns: solution.listed?.patterns ?? solution.neurons, dual: null, proof: null };
    },
    objective: (beta, network) => vectorObjective({ ...problem, beta }, network),
  };
  return {
    X,
    scaling,
    weights: weights ?? null,
    parts: [part],
    take: (rows) => poseShared(takeVector(problem, rows), name),
    betaMax: (options) => vectorBetaMax(problem, options),
    centeredBetaMax: (_, options) =>
      vectorBetaMax(
        targets.loss === "squared" ? { ...problem, targets: { loss: "squared", Y: centered(targets.Y) } } : problem,
        options,
      ),
    isPosable: targets.loss !== "softmax" || problem.bias !== "output" || everyClassCounts(problem, targets),
    rowLosses: (F) =>
      targets.loss === "squared" ? rowLosses({ loss: "squared" }, F, targets.Y) : softmaxLosses(F, targets.labels),
  };
}

function takeVector(problem: Omit<VectorProblem, "beta">, rows: ArrayLike<number>): Omit<VectorProblem, "beta"> {
  const { weights, targets, ...rest } = problem;
  const pick = (values: ArrayLike<number>): Float64Array => Float64Array.from(rows, (i) => values[i]!);
  return {
    ...rest,
    X: takeRows(problem.X, rows),
    targets:
      targets.loss === "squared"
        ? { loss: "squared", Y: takeRows(targets.Y, rows) }
        : { ...targets, labels: pick(targets.labels) },
    ...(weights === undefined ? {} : { weights: pick(weights) }),
  };
}

function everyClassCounts(
  { weights }: Pick<VectorProblem, "weights">,
  { labels, classes }: Extract<VectorProblem["targets"], { loss: "softmax" }>,
): boolean {
  const counted = new Set<number>();
  for (let i = 0; i < labels.length; i++) if (weights === undefined || weights[i]! > 0) counted.add(labels[i]!);
  return counted.size === classes;
}

/** Y with the mean of each column taken off. */
function centered({ rows, cols, data }: Matrix): Matrix {
  const out = matrix(rows, cols, data.slice());
  for (let q = 0; q < cols; q++) {
    let mean = 0;
    for (let i = 0; i < rows; i++) mean += data[i * cols + q] / rows;
    for (let i = 0; i < rows; i++) out.data[i * cols + q] -= mean;
  }
  return out;
}
