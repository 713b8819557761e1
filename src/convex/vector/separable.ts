import { ConfigError } from "../../base/errors.ts";
import { matrix } from "../../base/matrix.ts";
import { mergeOutputs } from "../../network/merge.ts";
import { solveConvex } from "../solve.ts";
import type { Solution, SolveEvent } from "../types.ts";
import { checkVectorProblem, outputsOf } from "./core.ts";
import { relativeGap, vectorStatus } from "./solution.ts";
import type { VectorOptions, VectorProblem, VectorSolution } from "./types.ts";

/**
 * The l1 variant, penalty beta sum_j ||u_j|| ||w_j||_1: with squared loss it falls apart into one scalar problem an output
 * (Ergen & Pilanci, JMLR 22 (2021), section 4.5.5), and objective and bound are the sums. `start` is not used.
 *
 * @throws ConfigError for the softmax loss, which couples the outputs. RangeError when shapes or entries do not fit.
 */
export function* solveOutputsApart(
  problem: VectorProblem,
  options: VectorOptions,
): Generator<SolveEvent, VectorSolution> {
  checkVectorProblem(problem);
  const { X, targets, scaling, weights, beta, bias } = problem;
  if (targets.loss !== "squared") {
    throw new ConfigError(`the l1 output norm needs a loss that is a sum over outputs; ${targets.loss} is not`, {
      code: "output-norm",
      hint: "use --output-norm group",
    });
  }
  const { compute, now, seed = 0, tolerance = 1e-6, certify = true } = options;
  const c = outputsOf(targets);
  const began = now();
  const solved: Solution[] = [];
  for (let k = 0; k < c; k++) {
    const y = Float64Array.from({ length: X.rows }, (_, i) => targets.Y.data[i * c + k]);
    const left = options.seconds === undefined ? undefined : Math.max(0, options.seconds - (now() - began)) / (c - k);
    const run = solveConvex(
      {
        X,
        y,
        loss: "squared",
        scaling,
        beta,
        bias,
        program: "relu",
        patterns: { kind: "generated" },
        ...(weights === undefined ? {} : { weights }),
      },
      {
        compute,
        now,
        seed,
        tolerance,
        certify,
        ...(left === undefined ? {} : { seconds: left }),
        ...(options.cancelled === undefined ? {} : { cancelled: options.cancelled }),
      },
    );
    let step = run.next();
    for (; step.done !== true; step = run.next()) yield step.value;
    solved.push(step.value);
  }
  const sum = (part: (solution: Solution) => number): number =>
    solved.reduce((total, solution) => total + part(solution), 0);
  const objective = sum((solution) => solution.objective);
  const lowerBound = sum((solution) => solution.lowerBound);
  const gap = certify ? relativeGap(objective, lowerBound) : Number.POSITIVE_INFINITY;
  const network = mergeOutputs(solved.map((solution) => solution.network));
  const V = matrix(X.rows, c);
  solved.forEach(({ dual }, k) => {
    for (let i = 0; i < X.rows; i++) V.data[i * c + k] = dual.v[i];
  });
  const maxBound = Math.max(...solved.map(({ dual }) => dual.maxBound));
  return {
    status: vectorStatus(
      gap <= tolerance,
      solved.some(({ status }) => status === "interrupted"),
      solved.every(({ status }) => status !== "stalled"),
    ),
    network,
    objective,
    lowerBound,
    gap,
    scope: solved.every(({ scope }) => scope === "all-patterns") ? "all-patterns" : "listed-patterns",
    method: [...new Set(solved.map(({ method }) => method))].join("+"),
    violation: Number.NaN,
    listed: null,
    neurons: network.U.rows,
    iterations: sum(({ iterations }) => iterations),
    seconds: now() - began,
    dual: { V, maxBound },
  };
}
