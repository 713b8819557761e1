import { type Certificate, joinProofs, ProofWriter } from "../../src/certificate/index.ts";
import type { VerifyData } from "../../src/verify/index.ts";
import { maximum, writeOutput, writeSignTree } from "./prover.ts";

type Problem = Certificate["problem"];
export type LossName = Problem["loss"];

/** A certificate with all that it is checked with; tests change copies of it. */
export interface Case {
  readonly certificate: Certificate;
  readonly proof: Uint8Array;
  readonly data: VerifyData & { readonly y: Float64Array; readonly weights: Float64Array | null };
}

export const copyOf = <T>(value: T): T => structuredClone(value);

/** loss(f, y), and -d loss / d f. */
export function lossAt(loss: LossName, huber: number, f: number, y: number): { value: number; slope: number } {
  const r = y - f;
  switch (loss) {
    case "squared":
      return { value: r ** 2 / 2, slope: r };
    case "logistic":
      return { value: Math.log1p(Math.exp(-y * f)), slope: y / (1 + Math.exp(y * f)) };
    case "hinge":
      return { value: Math.max(0, 1 - y * f), slope: y * f < 1 ? y : 0 };
    case "huber":
      return Math.abs(r) <= huber
        ? { value: r ** 2 / 2, slope: r }
        : { value: huber * (Math.abs(r) - huber / 2), slope: huber * Math.sign(r) };
  }
}

/** The objective of output q in plain arithmetic, written from docs/objective.md. */
export function plainObjective({ certificate, data }: Pick<Case, "certificate" | "data">, q = 0): number {
  const { problem, network, outputs } = certificate;
  const { X, weights } = data;
  const n = X.rows;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const y = target(certificate, data.y[i]!, q);
    const value = lossAt(
      problem.loss,
      problem.huber ?? 1,
      predict(network, X.data.subarray(i * X.cols, (i + 1) * X.cols), q, outputs.length),
      y,
    ).value;
    sum += (weights?.[i] ?? 1) * value;
  }
  let path = 0;
  for (let j = 0; j < network.U.rows; j++) {
    let square = problem.bias === "output" ? 0 : network.b[j]! ** 2;
    for (let k = 0; k < X.cols; k++) square += network.U.data[j * X.cols + k]! ** 2;
    path += Math.sqrt(square) * Math.abs(network.W.data[j * outputs.length + q]!);
  }
  return (problem.scaling === "mean" ? sum / n : sum) + problem.beta * path;
}

function target({ data, outputs }: Certificate, y: number, q: number): number {
  if (data.coding === "number") return y;
  const is = outputs.length === 1 ? y > 0 : y === q;
  return is ? 1 : data.coding === "zero-one" ? 0 : -1;
}

function predict({ U, b, W, c0 }: Certificate["network"], x: Float64Array, q: number, c: number): number {
  let f = c0[q]!;
  for (let j = 0; j < U.rows; j++) {
    let z = b[j]!;
    for (let k = 0; k < U.cols; k++) z += U.data[j * U.cols + k]! * x[k]!;
    f += Math.max(0, z) * W.data[j * c + q]!;
  }
  return f;
}

/** What a case is made of: a network and, for each output, a dual point and the multiple of it to be used if it is feasible. */
export interface CaseSpec {
  readonly X: readonly (readonly number[])[];
  readonly y: readonly number[];
  readonly weights?: readonly number[];
  readonly problem: Pick<Problem, "loss" | "scaling" | "beta" | "bias"> & { readonly huber?: number };
  readonly coding: Certificate["data"]["coding"];
  readonly U: readonly (readonly number[])[];
  readonly b?: readonly number[];
  /** One row a neuron. */
  readonly W: readonly (readonly number[])[];
  readonly c0?: readonly number[];
  /** n entries an output. */
  readonly v: readonly (readonly number[])[];
  readonly alpha?: number;
  /** T is the maximum times 1 + this. */
  readonly slack?: number;
}

const NOTHING = "0".repeat(64);

/** A certificate of a network, with claims from plain arithmetic moved away from the truth by a part in 10^11. */
export function makeCase(spec: CaseSpec): Case {
  const { X, y, problem, U, W, v, coding, alpha = 1, slack = 1e-11 } = spec;
  const n = X.length;
  const d = X[0]!.length;
  const c = W[0]?.length ?? v.length;
  const weights = spec.weights === undefined ? null : Float64Array.from(spec.weights);
  const data = { X: { rows: n, cols: d, data: Float64Array.from(X.flat()) }, y: Float64Array.from(y), weights };
  const rows = X.map((x) => (problem.bias === "column" ? [...x, 1] : [...x]));
  const matrixOf = (a: readonly (readonly number[])[], cols: number) => ({ rows: a.length, cols, data: a.flat() });
  const draft: Certificate = {
    format: "overparam-certificate",
    formatVersion: 2,
    version: "0.0.0",
    claim: "",
    arithmetic: "rigorous",
    data: {
      file: NOTHING,
      matrix: NOTHING,
      weights: "none",
      target: "y",
      task: coding === "number" ? "regression" : "classification",
      classes: null,
      coding,
      settings: { task: "auto", split: 0, missing: "impute", standardize: "none", weights: null, seed: 0 },
    },
    problem: { rows: n, features: d, program: "relu", ...problem, huber: problem.huber ?? null },
    network: {
      activation: "relu",
      U: matrixOf(U, d),
      b: [...(spec.b ?? U.map(() => 0))],
      W: matrixOf(W, c),
      c0: [...(spec.c0 ?? new Array<number>(c).fill(0))],
      gates: null,
    },
    total: { upper: 0, lower: 0, scope: "all-patterns" },
    outputs: v.map((_, q) => ({
      name: `output ${q}`,
      status: "bounded",
      upper: 0,
      lower: 0,
      scope: "all-patterns",
      method: "test",
      dual: null,
      listed: null,
    })),
    proof: null,
  };
  const proofs: Uint8Array[] = [];
  const outputs = draft.outputs.map((output, q) => {
    const out = new ProofWriter();
    writeOutput(out, rows, v[q]!, (tree, side, T) => writeSignTree(tree, side, T), slack, problem.bias === "output");
    proofs.push(out.bytes().slice());
    const maxBound = largest(rows, v[q]!, problem.bias === "output") * (1 + slack) * (1 + 1e-12) + 3e-12;
    const most = (problem.beta * (problem.scaling === "mean" ? n : 1)) / maxBound;
    const scale = Math.min(alpha, most * (1 - 1e-13));
    const dual = { v: [...v[q]!], alpha: scale, maxBound };
    const upper = plainObjective({ certificate: draft, data }, q) * (1 + 1e-11);
    const lower = plainDual(draft, data, q, dual) * (1 - 1e-11);
    return { ...output, upper, lower, dual };
  });
  const sum = (values: readonly number[]): number => values.reduce((total, t) => total + t, 0);
  const upper = sum(outputs.map((o) => o.upper)) * (1 + 1e-13);
  const lower = sum(outputs.map((o) => o.lower)) * (1 - 1e-13);
  const certificate = { ...draft, outputs, total: { upper, lower, scope: "all-patterns" as const } };
  return { certificate, proof: joinProofs(proofs), data };
}

function largest(rows: readonly (readonly number[])[], v: readonly number[], freeBiases: boolean): number {
  const parts = freeBiases ? rows.map((pivot) => rows.map((x) => x.map((t, k) => t - pivot[k]!))) : [rows];
  return Math.max(...parts.flatMap((Z) => [1, -1].map((sign) => maximum({ Z, v: v.map((t) => sign * t) }).value)));
}

/** The dual value of alpha v, in plain arithmetic. */
function plainDual(
  certificate: Certificate,
  data: Case["data"],
  q: number,
  { v, alpha }: { v: readonly number[]; alpha: number },
): number {
  const { loss, scaling } = certificate.problem;
  let sum = 0;
  v.forEach((t, i) => {
    const nu = alpha * t;
    const y = target(certificate, data.y[i]!, q);
    const weight = data.weights?.[i] ?? 1;
    if (nu === 0) return;
    if (loss === "logistic") {
      const p = Math.min(1, (nu * y) / weight);
      sum -= weight * (p * Math.log(p) + (p < 1 ? (1 - p) * Math.log1p(-p) : 0));
    } else sum += nu * y - (loss === "hinge" ? 0 : nu ** 2 / (2 * weight));
  });
  return Math.max(0, scaling === "mean" ? sum / data.X.rows : sum);
}

/**
 * XOR with its optimal network in closed form, for every loss (spec of convex duality, 9.1): each point has a neuron of its own, with slope of
 * the loss beta / sqrt 2, and the dual point is that slope; M(v) = beta, so the bound meets the objective.
 */
export function xorCase(
  loss: LossName,
  options: { bias?: "none" | "column"; scaling?: "sum" | "mean"; weights?: readonly number[] } = {},
): Case {
  const { bias = "none", scaling = "sum", weights } = options;
  const X = [
    [1, 1],
    [-1, -1],
    [1, -1],
    [-1, 1],
  ];
  const labels = [1, 1, -1, -1];
  const beta = 0.3;
  const sumBeta = scaling === "mean" ? 4 * beta : beta;
  const huber = 0.5;
  const root = Math.SQRT1_2;
  const tau = X.map((_, i) => (sumBeta * root) / (weights?.[i] ?? 1));
  const reach = tau.map((t) => (loss === "logistic" ? Math.log((1 - t) / t) : loss === "hinge" ? 1 : 1 - t));
  return makeCase({
    X,
    y: loss === "squared" || loss === "huber" ? labels : labels.map((t) => (t > 0 ? 1 : 0)),
    ...(weights === undefined ? {} : { weights }),
    problem: { loss, scaling, beta, bias, ...(loss === "huber" ? { huber } : {}) },
    coding: loss === "squared" || loss === "huber" ? "number" : "minus-plus-one",
    U: X.map((x) => x.map((t) => t * root)),
    W: X.map((_, i) => [labels[i]! * reach[i]! * root]),
    v: [labels.map((t) => t * sumBeta * root)],
  });
}
