import { ConfigError } from "../base/errors.ts";
import { forward, type TwoLayerNetwork } from "../network/two-layer.ts";
import { lossOf } from "./losses/index.ts";
import type { ConvexProblem } from "./types.ts";

const TINY = 1e-300;

/**
 * The training objective of a network in the problem's own scaling, in f64 from its weights alone:
 * loss + beta sum_j |w_j| ||u_j|| (equal to (beta/2)(||U||^2 + ||w||^2) at balanced weights); the hidden bias counts in
 * ||u_j|| when it is a penalized column.
 */
export function networkObjective(problem: ConvexProblem, network: TwoLayerNetwork): number {
  const { X, y, scaling, beta, bias } = problem;
  const f = forward(network, X).data;
  const d = X.cols;
  let penalty = 0;
  for (let j = 0; j < network.U.rows; j++) {
    let norm = bias === "column" ? network.b[j] ** 2 : 0;
    for (let k = 0; k < d; k++) norm += network.U.data[j * d + k] ** 2;
    penalty += Math.sqrt(norm) * Math.abs(network.W.data[j]);
  }
  return lossOf(problem).value(f, y) * (scaling === "mean" ? 1 / X.rows : 1) + beta * penalty;
}

/** Refuses a problem that cannot be posed. */
export function checkProblem({ X, y, beta, bias, program, loss, weights, huber }: ConvexProblem): void {
  if (y.length !== X.rows) throw new RangeError(`X has ${X.rows} rows, y ${y.length} entries`);
  if (!X.data.every(Number.isFinite)) throw new RangeError("X has an entry that is not finite");
  if (!y.every(Number.isFinite)) throw new RangeError("y has an entry that is not finite");
  if ((loss === "logistic" || loss === "hinge") && !y.every((t) => Math.abs(t) === 1)) {
    throw new RangeError(`the ${loss} loss needs targets -1 and +1`);
  }
  if (weights !== undefined && (weights.length !== X.rows || !weights.every((t) => t >= 0 && Number.isFinite(t)))) {
    throw new RangeError(`sample weights must be ${X.rows} finite numbers >= 0`);
  }
  if (huber !== undefined && !(huber > 0 && Number.isFinite(huber))) {
    throw new RangeError(`the Huber threshold must be a positive number, got ${huber}`);
  }
  if (!(beta > 0) || !Number.isFinite(beta)) {
    throw new ConfigError(`beta must be a positive number, got ${beta}`, {
      code: "beta",
      hint: "leave --beta out to choose it by validation",
    });
  }
  if (program === "gated" && bias === "output") {
    throw new ConfigError("a gated program has no free biases", { code: "bias", hint: "use --bias column or none" });
  }
}

/** (objective - lowerBound) / max(|objective|, tiny). */
export function relativeGap(objective: number, lowerBound: number): number {
  return (objective - lowerBound) / Math.max(Math.abs(objective), TINY);
}
