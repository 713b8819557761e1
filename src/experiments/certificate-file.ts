import type { Certificate } from "../certificate/index.ts";
import type { Dataset } from "../data/types.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import type { FitSettings } from "./config.ts";
import type { FitJson } from "./fit-types.ts";
import { networkToJson } from "./network-json.ts";
import type { Coding, Objective } from "./problem.ts";
import type { SolvedOutput } from "./solve.ts";
import { BIAS_TEXT, NONNEGATIVE, subject } from "./verdict.ts";
import { VERSION } from "./version.ts";

/** What a certificate is made of. */
export interface CertificateInput {
  readonly settings: FitSettings;
  readonly dataset: Dataset;
  readonly objective: Objective;
  readonly coding: Coding;
  /** The saved network: all outputs. */
  readonly network: TwoLayerNetwork;
  readonly outputs: readonly SolvedOutput[];
  readonly problem: FitJson["problem"];
  readonly result: FitJson["result"];
}

/** The certificate of a fit, format version 1. */
export function makeCertificate(input: CertificateInput): Certificate {
  const { settings, dataset, objective, coding, network, outputs, problem, result } = input;
  const { task, split, standardize, seed } = settings;
  const { name, classes } = dataset.target;
  return {
    format: "overparam-certificate",
    formatVersion: 1,
    version: VERSION,
    claim: claim(problem, result),
    arithmetic: "floating-point",
    data: {
      ...dataset.fingerprint,
      target: name,
      task: dataset.target.task,
      classes: classes === null ? null : [...classes],
      coding,
      settings: { task, split, standardize, seed },
    },
    problem: { rows: problem.rows, features: problem.features, ...objective },
    network: networkToJson(network),
    total: {
      objective: result.objective,
      lowerBound: result.lowerBound,
      gap: result.gap,
      scope: result.scope,
    },
    outputs: outputs.map((output) => ({
      name: output.name,
      status: output.status,
      objective: output.objective,
      lowerBound: output.lowerBound,
      gap: output.gap,
      scope: output.scope,
      method: output.method,
      dual: output.dual === null ? null : { v: [...output.dual.v], maxBound: output.dual.maxBound },
      listed: output.listed,
    })),
  };
}

/** The claim in one paragraph: what is bounded, by what, over which networks, and in which arithmetic. */
function claim(problem: FitJson["problem"], result: FitJson["result"]): string {
  const { loss, scaling, bias, program, outputs } = problem;
  const average = scaling === "mean" ? "the mean over the rows" : "the sum over the rows";
  const penalty = program === "gated" ? "beta sum |u_j|" : "(beta/2)(|U|^2 + |w|^2)";
  const sums = outputs > 1 ? " and added up over the classes, one separate network a class" : "";
  const objective = `Training objective: ${average} of the ${loss} loss plus ${penalty}, ${BIAS_TEXT[bias]}${sums}, on the f64 matrix with the sha256 given here.`;
  const reached = `The network in this file has the objective ${result.objective}.`;
  const bound =
    result.method === NONNEGATIVE
      ? "No lower bound was found; 0 stands for it because losses and penalties are not negative."
      : `Claimed: ${subject(problem, result)} has an objective below ${result.lowerBound}.`;
  const how =
    "Each lower bound is the dual value of alpha v, 0 <= alpha <= beta / maxBound (beta times the number of rows for the mean), for the dual point v given here, where maxBound is claimed to be at least |v'a| for the activations a over the training rows of every hidden unit in scope whose penalized weights have norm 1.";
  return `${objective} ${reached} ${bound} ${how} All numbers were computed in rounded floating-point arithmetic: this is numerical evidence up to rounding errors, not a rigorous proof. Nothing is claimed about predictions on other data.`;
}
