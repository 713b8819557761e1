import { type Certificate, joinProofs, proofEntry } from "../certificate/index.ts";
import { type LossName, lossOf } from "../convex/index.ts";
import type { Dataset, Target } from "../data/types.ts";
import type { TwoLayerNetwork } from "../network/index.ts";
import { sha256 } from "../platform/index.ts";
import { checkProof, objectiveBelow, objectivesAbove, poseProblem, Rejection, sumOf } from "../verify/index.ts";
import type { FitSettings } from "./config.ts";
import type { FitJson } from "./fit-types.ts";
import { networkToJson } from "./network-json.ts";
import type { Coding, Objective } from "./problem.ts";
import type { SolvedPart } from "./solve.ts";
import { BIAS_TEXT, NONNEGATIVE, subject } from "./verdict.ts";
import { VERSION } from "./version.ts";

/** An objective that the checker knows: one of networks with one output each. */
export type CheckableObjective = Objective & { readonly loss: LossName };

/**
 * Whether there can be a certificate: the checker knows networks of one output, not those whose outputs share neurons, and tables
 * with one target column.
 */
export function isCheckable(objective: Objective, { columns }: Target): objective is CheckableObjective {
  return objective.loss !== "softmax" && objective.outputNorm !== "group" && columns === undefined;
}

/** What a certificate is made of. */
export interface CertificateInput {
  readonly settings: FitSettings;
  readonly dataset: Dataset;
  readonly objective: CheckableObjective;
  readonly coding: Coding;
  /** The saved network: all outputs. */
  readonly network: TwoLayerNetwork;
  readonly outputs: readonly SolvedPart[];
  readonly problem: FitJson["problem"];
  readonly result: FitJson["result"];
  /** {@link wholeProof} of the outputs. */
  readonly proof?: Uint8Array | null;
}

/** What alpha is kept below its limits by, so that the checker's rounding upwards does not meet them. */
const MARGIN = 1 - 2 ** -48;

/**
 * The proof for a certificate: that of each output which has a dual point (an `output` of docs/certificates.md), in order. Null when one of
 * them has none: a bound is proved whole or not at all.
 */
export function wholeProof(
  outputs: readonly SolvedPart[],
  proofs: readonly (Uint8Array | null)[],
): Uint8Array<ArrayBuffer> | null {
  const needed = proofs.filter((_, q) => outputs[q]!.dual !== null);
  const there = needed.filter((proof) => proof !== null);
  return there.length < needed.length || there.length === 0 ? null : joinProofs(there);
}

/**
 * The certificate of a fit, format version 2. With a proof that the program's own checker accepts, the claims are the numbers that the
 * checker arrived at, and `arithmetic` is `rigorous`; else they are those of the solver. A proof above 64 kB goes into a file of its own,
 * `proof.bin`, beside the certificate, which then has `proof.file`.
 */
export function makeCertificate(input: CertificateInput): Certificate {
  const { settings, dataset, objective, coding, network, outputs, problem, result, proof = null } = input;
  const { task, split, missing, standardize, weights = null, seed } = settings;
  const { name, classes } = dataset.target;
  const { loss, huber = null, scaling, beta, bias, program } = objective;
  const posed = { rows: problem.rows, features: problem.features, loss, huber, scaling, beta, bias, program };
  const draft: Certificate = {
    format: "overparam-certificate",
    formatVersion: 2,
    version: VERSION,
    claim: "",
    arithmetic: "floating-point",
    data: {
      ...dataset.fingerprint,
      weights: dataset.fingerprint.weights ?? "none",
      target: name,
      task: dataset.target.task,
      classes: classes === null ? null : [...classes],
      coding,
      settings: { task, split, missing, standardize, weights, seed },
    },
    problem: posed,
    network: networkToJson(network),
    total: { upper: result.objective, lower: result.lowerBound, scope: result.scope },
    outputs: outputs.map((output) => ({
      name: output.name,
      status: output.status,
      upper: output.objective,
      lower: output.lowerBound,
      scope: output.scope,
      method: output.method,
      dual: dualOf(input, output, output.dual?.maxBound ?? null),
      listed: output.listed,
    })),
    proof: proof === null ? null : proofEntry(proof, sha256(proof)),
  };
  const certificate = proved(input, draft) ?? draft;
  return { ...certificate, claim: claim(problem, result, certificate) };
}

/** The dual point with the best multiple of it that a maximum allows. */
function dualOf({ objective }: CertificateInput, { dual }: SolvedPart, maxBound: number | null) {
  if (dual === null || maxBound === null) return null;
  const { scaling, beta } = objective;
  const { y } = dual;
  const most = scaling === "mean" ? beta * y.length : beta;
  const cap = maxBound > 0 ? (most / maxBound) * MARGIN : Number.MAX_VALUE;
  const alpha = lossOf(objective).bestScale(dual.v, y, cap) * MARGIN;
  return { v: [...dual.v], alpha: Math.min(alpha, cap), maxBound };
}

/** The draft with the numbers of the checker in place of its claims; null when the checker does not accept it. */
function proved(input: CertificateInput, draft: Certificate): Certificate | null {
  const { dataset, outputs, proof = null } = input;
  const { X, y, weights = null } = dataset.train;
  if (draft.total.scope !== "all-patterns") return null;
  try {
    const posed = poseProblem(draft, { X, y, weights });
    const uppers = objectivesAbove(posed, draft.network);
    const maxima = checkProof(
      proof,
      posed,
      outputs.map(({ dual }) => dual?.v ?? null),
    );
    const claims = draft.outputs.map((claim, q) => {
      const dual = dualOf(input, outputs[q]!, maxima[q]!);
      const lower = dual === null ? 0 : objectiveBelow(posed, q, outputs[q]!.dual!.v, dual.alpha, dual.maxBound);
      return { ...claim, upper: uppers[q]!, lower, dual };
    });
    const { upper, lower } = sumOf(claims);
    return { ...draft, arithmetic: "rigorous", total: { ...draft.total, upper, lower }, outputs: claims };
  } catch (error) {
    if (error instanceof Rejection) return null;
    throw error;
  }
}

/** The claim in one paragraph: what is bounded, by what, over which networks, and in which arithmetic. */
function claim(problem: FitJson["problem"], result: FitJson["result"], { total, arithmetic }: Certificate): string {
  const { loss, scaling, bias, program, outputs } = problem;
  const average = scaling === "mean" ? "the mean over the rows" : "the sum over the rows";
  const penalty = program === "gated" ? "beta sum |u_j|" : "(beta/2)(|U|^2 + |w|^2)";
  const sums = outputs > 1 ? " and added up over the classes, one separate network a class" : "";
  const objective = `Training objective: ${average} of the ${loss} loss plus ${penalty}, ${BIAS_TEXT[bias]}${sums}, on the f64 matrix with the sha256 given here.`;
  const reached = `The network in this file, its neurons rescaled to balance, has an objective of at most ${total.upper}.`;
  const bound =
    result.method === NONNEGATIVE
      ? "No lower bound was found; 0 stands for it because losses and penalties are not negative."
      : `Claimed: ${subject(problem, result)} has an objective below ${total.lower}.`;
  const how =
    "Each lower bound is the dual value of alpha v, 0 <= alpha <= beta / maxBound (beta times the number of rows for the mean), for the dual point v given here, where maxBound is claimed to be at least |v'a| for the activations a over the training rows of every hidden unit in scope whose penalized weights have norm 1.";
  const arithmeticText =
    arithmetic === "rigorous"
      ? "Every inequality behind these numbers was verified with proven bounds of all rounding errors; overparam verify repeats that from the data."
      : "All numbers were computed in rounded floating-point arithmetic: this is numerical evidence up to rounding errors, not a rigorous proof.";
  return `${objective} ${reached} ${bound} ${how} ${arithmeticText} Nothing is claimed about predictions on other data.`;
}
