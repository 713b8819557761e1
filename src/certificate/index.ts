/**
 * The certificate: schema and types of its file, format version 2, and how proofs are put into bytes. This layer knows what a
 * certificate says; it must not know how one is made or checked, so that the code that checks shares nothing with the code that
 * wrote it.
 */
export { inlineProof, joinProofs, PROOF_MAGIC, proofEntry } from "./proof.ts";
export { type Certificate, certificateSchema, type NetworkJson, networkSchema } from "./schema.ts";
export { ProofWriter } from "./stream.ts";
