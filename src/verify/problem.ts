import type { Certificate } from "../certificate/index.ts";
import type { Inputs } from "./maximum.ts";
import { Rejection } from "./reader.ts";

/** What a certificate is checked against. */
export interface VerifyData {
  /** n x d features after preprocessing, without a bias column. */
  readonly X: Inputs;
  /** n entries of the target column: numbers, or class indices. */
  readonly y: ArrayLike<number>;
  /** n sample weights >= 0; null: all 1. */
  readonly weights: ArrayLike<number> | null;
}

/** The problem that a certificate speaks of, with its data. */
export interface Posed extends Pick<Certificate["problem"], "loss" | "scaling" | "beta" | "bias"> {
  readonly n: number;
  readonly X: Inputs;
  /** X with the bias column when there is one. */
  readonly inputs: Inputs;
  /** n targets of each output. */
  readonly Y: readonly Float64Array[];
  readonly weights: Float64Array;
  readonly huber: number;
}

/** The parts of a certificate that pose its problem and its network. */
export type Posing = Pick<Certificate, "problem" | "network"> & {
  readonly data: Pick<Certificate["data"], "coding">;
  readonly outputs: readonly unknown[];
};

/** @throws Rejection when data, problem and network do not fit together, or are not of a kind that can be checked. */
export function poseProblem({ problem, network, data, outputs }: Posing, { X, y, weights }: VerifyData): Posed {
  const { loss, scaling, beta, bias, program } = problem;
  const n = X.rows;
  const c = outputs.length;
  const need = (holds: boolean, what: string): void => {
    if (!holds) throw new Rejection(what);
  };
  need(program === "relu" && network.activation === "relu", "only ReLU networks can be checked, not gated ones");
  need(n === problem.rows && X.cols === problem.features, `the data are ${n} x ${X.cols}, not as certified`);
  need(n > 0 && X.data.length === n * X.cols && y.length === n, "the data have a wrong shape");
  need(X.data.every(Number.isFinite), "the data have an entry that is not finite");
  const { U, b, W, c0 } = network;
  const fits = U.cols === X.cols && b.length === U.rows && W.rows === U.rows && W.cols === c && c0.length === c;
  need(fits, "the network does not fit the data");
  need(bias !== "none" || b.every((t) => t === 0), "a network with hidden biases, where the problem has none");
  need(bias === "output" || c0.every((t) => t === 0), "a network with output biases, where the problem has none");
  need((loss === "huber") === (problem.huber !== null), "a Huber threshold without a Huber loss, or the reverse");
  const omega = weights === null ? new Float64Array(n).fill(1) : Float64Array.from(weights);
  need(omega.length === n && omega.every((t) => t >= 0 && t < Number.POSITIVE_INFINITY), "bad sample weights");
  const Y = Array.from({ length: c }, (_, q) => Float64Array.from(y, (t) => coded(t, data.coding, c, q)));
  const isClassLoss = loss === "logistic" || loss === "hinge";
  need(
    Y.every((targets) => targets.every((t) => (isClassLoss ? Math.abs(t) === 1 : Number.isFinite(t)))),
    "bad targets",
  );
  need(data.coding !== "number" || c === 1, "several outputs for one number");
  return { n, X, inputs: augmented(X, bias), Y, weights: omega, loss, huber: problem.huber ?? 0, scaling, beta, bias };
}

/** The target of output q: the number itself, or whether the class is that of the output (of two classes: the second). */
function coded(value: number, coding: Certificate["data"]["coding"], outputs: number, q: number): number {
  if (coding === "number") return value;
  const isClass = outputs === 1 ? value > 0 : value === q;
  return isClass ? 1 : coding === "zero-one" ? 0 : -1;
}

function augmented(X: Inputs, bias: Posed["bias"]): Inputs {
  if (bias !== "column") return X;
  const { rows, cols: d } = X;
  const data = new Float64Array(rows * (d + 1)).fill(1);
  for (let i = 0; i < rows; i++) data.set(X.data.subarray(i * d, (i + 1) * d), i * (d + 1));
  return { rows, cols: d + 1, data };
}
