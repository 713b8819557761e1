/**
 * The checker of certificates. It is meant to be read: small files, plain loops, a proven bound beside every inequality. It knows the
 * certificate file and nothing else of this program; above all it must not know what trained a network or found a bound.
 */
export { objectiveBelow } from "./lower.ts";
export { poseProblem, type VerifyData } from "./problem.ts";
export { Rejection } from "./reader.ts";
export { objectivesAbove } from "./upper.ts";
export { checkProof, sumOf, type Verification, verifyCertificate } from "./verify.ts";
