import type { Certificate } from "./schema.ts";
import { ProofWriter } from "./stream.ts";

/** The first bytes of a proof. */
export const PROOF_MAGIC = "OPPROOF1";

/** Proofs up to this size are put into the certificate itself. */
const INLINE_BYTES = 65_536;

/**
 * The proof of a certificate from those of its outputs (an `output` of docs/certificates.md each), in their order, for those outputs that
 * have a dual point.
 */
export function joinProofs(outputs: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new ProofWriter();
  for (const letter of PROOF_MAGIC) out.u8(letter.charCodeAt(0));
  out.u32(outputs.length);
  for (const bytes of outputs) out.raw(bytes);
  return out.bytes();
}

/** The `proof` of a certificate. */
export function proofEntry(bytes: Uint8Array, sha256: string): NonNullable<Certificate["proof"]> {
  if (bytes.length > INLINE_BYTES) return { file: "proof.bin", sha256, bytes: bytes.length };
  return { inline: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
}

/** The bytes of a proof that is in the certificate; null when it is elsewhere or there is none. */
export function inlineProof({ proof }: Certificate): Uint8Array<ArrayBuffer> | null {
  if (proof === null || !("inline" in proof)) return null;
  return Uint8Array.from(atob(proof.inline), (letter) => letter.charCodeAt(0));
}
