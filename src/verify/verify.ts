import { certificateSchema, PROOF_MAGIC } from "../certificate/index.ts";
import { down, up } from "./arithmetic.ts";
import { objectiveBelow } from "./lower.ts";
import { checkMaximum } from "./maximum.ts";
import { type Posed, poseProblem, type VerifyData } from "./problem.ts";
import { ProofReader, Rejection } from "./reader.ts";
import { objectivesAbove } from "./upper.ts";

/** What was shown of an output, or of all together. */
export interface Shown {
  /** The network's objective is at most this. */
  readonly upper: number;
  /** Every two-layer ReLU network of any width has an objective of at least this. */
  readonly lower: number;
}

/** The result of checking a certificate. */
export interface Verification {
  /** Every claim of the certificate follows from inequalities that were verified with proven bounds of all rounding errors. */
  readonly rigorous: boolean;
  /** The first step that failed; null when none did. */
  readonly failure: { readonly step: string; readonly reason: string } | null;
  /** Sums over the outputs; null when something failed. */
  readonly total: (Shown & { /** At least (upper - lower) / upper. */ readonly gap: number }) | null;
  readonly outputs: readonly (Shown & { readonly name: string })[];
}

/**
 * Checks a certificate against its data: that the network's objective is at most `upper`, and that no two-layer ReLU network of any
 * width has one below `lower`. Any content of certificate and proof is answered by a result; none is trusted.
 *
 * @param certificate the content of `certificate.json`.
 * @param proof the bytes of the proof; null when there are none.
 * @param progress told the share of the proof that was read.
 */
export function verifyCertificate(
  certificate: unknown,
  proof: Uint8Array | null,
  data: VerifyData,
  progress: (share: number) => void = () => {},
): Verification {
  let step = "certificate";
  const outputs: (Shown & { name: string })[] = [];
  try {
    const parsed = certificateSchema.safeParse(certificate);
    if (!parsed.success)
      throw new Rejection(`its ${parsed.error.issues[0]?.path.join(".") || "content"} is not as expected`);
    const claims = parsed.data;
    step = "problem";
    const posed = poseProblem(claims, data);
    const duals = claims.outputs.map(({ dual }) => (dual === null ? null : Float64Array.from(dual.v)));
    step = "network";
    const uppers = objectivesAbove(posed, claims.network);
    step = "proof";
    const maxima = checkProof(proof, posed, duals, progress);
    claims.outputs.forEach((claim, q) => {
      const { name, dual, scope } = claim;
      step = `output ${name}`;
      if (scope !== "all-patterns") throw new Rejection("a bound over listed patterns cannot be checked");
      if (dual !== null) atMost(maxima[q]!, dual.maxBound, "the maximum");
      const lower = dual === null ? 0 : objectiveBelow(posed, q, duals[q]!, dual.alpha, dual.maxBound);
      outputs.push({ name, upper: uppers[q]!, lower });
      atMost(uppers[q]!, claim.upper, "the objective");
      atMost(claim.lower, lower, "the claimed lower bound");
    });
    step = "total";
    const total = sumOf(outputs);
    if (claims.total.scope !== "all-patterns") throw new Rejection("a bound over listed patterns cannot be checked");
    atMost(total.upper, claims.total.upper, "the objective");
    atMost(claims.total.lower, total.lower, "the claimed lower bound");
    return { rigorous: true, failure: null, total, outputs };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { rigorous: false, failure: { step, reason: error.message }, total: null, outputs };
  }
}

/** Sums over outputs, upwards and downwards, and their gap. */
export function sumOf(outputs: readonly Shown[]): NonNullable<Verification["total"]> {
  let upper = 0;
  let lower = 0;
  for (const output of outputs) {
    upper = outputs.length === 1 ? output.upper : up(upper + output.upper);
    lower = outputs.length === 1 ? output.lower : down(lower + output.lower);
  }
  return { upper, lower, gap: upper > 0 ? Math.max(0, up(up(upper - lower) / upper)) : 0 };
}

/**
 * Checks a whole proof: upper bounds of M(v) for the outputs that have a dual point, null for the others.
 *
 * @throws Rejection when there is none, or it does not show any.
 */
export function checkProof(
  proof: Uint8Array | null,
  { inputs, bias }: Pick<Posed, "inputs" | "bias">,
  duals: readonly (Float64Array | null)[],
  progress: (share: number) => void = () => {},
): (number | null)[] {
  const count = duals.filter((v) => v !== null).length;
  if (count === 0 && proof === null) return duals.map(() => null);
  if (proof === null) throw new Rejection("there is no proof of the maxima");
  const reader = new ProofReader(proof, progress);
  for (const letter of PROOF_MAGIC) if (reader.u8() !== letter.charCodeAt(0)) reader.fail("not a proof");
  if (reader.u32() !== count) reader.fail("a wrong number of outputs");
  const maxima = duals.map((v) => {
    if (v === null) return null;
    if (v.length !== inputs.rows) throw new Rejection(`${v.length} dual weights for ${inputs.rows} rows`);
    return checkMaximum(reader, inputs, bias === "output", v);
  });
  reader.end();
  return maxima;
}

function atMost(value: number, limit: number, what: string): void {
  if (!(value <= limit)) throw new Rejection(`${what} is ${value}, above ${limit}`);
}
